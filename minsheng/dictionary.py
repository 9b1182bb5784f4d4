"""The data dictionary, generated from the contracts: `python -m minsheng.dictionary` writes it."""

from pathlib import Path

from minsheng.contracts import LAYERS, Contract, load_contracts
from minsheng.settings import load_settings

TARGET = Path("docs/data_dictionary.md")
HEADER = """# Data dictionary 数据字典

Generated from `expectations/` by `make dictionary`; a test fails when it is stale.
"""


def dictionary(contracts: dict[str, Contract]) -> str:
    """The dictionary as Markdown: every layer, table and column."""
    parts = [HEADER]
    for layer in LAYERS:
        if layer == "raw":
            continue
        parts.append(f"## {layer}\n")
        for name in sorted(contracts):
            if contracts[name].layer == layer:
                parts.append(_table(contracts[name]))
    return "\n".join(parts)


def _table(contract: Contract) -> str:
    lines = [
        f"### {contract.name}",
        "",
        f"{contract.description_zh} · {contract.description_en}.",
        f"Grain: {contract.grain}. Key: {', '.join(f'`{name}`' for name in contract.key)}.",
        "",
        "| column | 中文 | English | type | unit | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for column in contract.columns:
        cells = (
            f"`{column.name}`",
            column.label_zh,
            column.label_en,
            column.duckdb_type,
            column.unit or "",
            column.meaning,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    settings = load_settings(deployment="demo")
    text = dictionary(load_contracts(settings))
    (settings.root / TARGET).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
