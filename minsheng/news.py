"""Whether anything is new since the current version."""

from minsheng.inbox import misplaced_files, waiting_files
from minsheng.project import Project, gather_inputs
from minsheng.release import current, withdrawn


def has_news(project: Project) -> bool:
    """Whether a refresh would take a file or make another build than the current version's."""
    settings = project.settings
    waiting = set(waiting_files(settings.inbox)) - set(misplaced_files(settings, project.sources))
    published = current(settings)
    if waiting or not published:
        return True
    build_id = gather_inputs(project).build_id
    return build_id != published.build_id and build_id not in withdrawn(settings)
