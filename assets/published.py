"""Layer published: the audited build made current, with its tables as Parquet."""

from collections.abc import Sequence

import dagster as dg

from assets.warehouse_resource import WarehouseResource
from minsheng.letters import write_letters
from minsheng.release import publish_build
from minsheng.warehouse import WAREHOUSE_FILE

RELEASE_KEY = dg.AssetKey(["published", "release"])


def release_asset(tables: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The last asset of a refresh."""

    @dg.asset(
        key=RELEASE_KEY,
        deps=list(tables),
        group_name="published",
        description="The version that readers open: audited, exported and made current in one "
        "rename. A run that has not made every table cannot publish.",
        kinds={"duckdb", "parquet"},
        owners=["team:statistics"],
    )
    def release(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # no value is passed on
        build = warehouse.build
        opened = build.open(context, [".".join(key.path) for key in tables])
        version = publish_build(opened, build.project, build.run_id, build.close)
        try:
            letters = write_letters(build.project, version.folder / WAREHOUSE_FILE)
        except OSError as fault:
            # what is published stays; the letters are written anew by every refresh that publishes
            context.log.warning(f"the letters to the departments are not written: {fault}")
            letters = ()
        return dg.MaterializeResult(
            metadata={
                "version": version.version,
                "build_id": version.build_id,
                "as_of_month": version.as_of_month,
                "folder": dg.MetadataValue.path(str(version.folder)),
                "letters": len(letters),
            },
            data_version=dg.DataVersion(version.build_id),
        )

    return release
