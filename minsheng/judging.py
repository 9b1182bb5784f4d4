"""Judging: the rows of a delivery typed, with what each is refused or doubted for.

`typed/<version>.parquet` is a cache; `findings.parquet` has the faults, one row each.
"""

import hashlib
import inspect
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import duckdb

from minsheng import cell_forms, headers, identity, lake, parsing, rejects, row_rules
from minsheng.cell_forms import Codes
from minsheng.contracts import Contract
from minsheng.encryption import SEALED, scratch_database, sealed_parquet
from minsheng.lake import Receipt
from minsheng.quoting import literal, quoted
from minsheng.settings import Settings

Placed = tuple[Path, Receipt]
"""The folder of a delivery and its receipt."""
FILE_COLUMN = " file"
"""No header begins with a blank, and so none is called what is added to the delivered columns."""
Counts = tuple[str | None, str | None, str | None, int]
"""The rules that refuse rows and that warn of them, how they were converted, how many there are."""


def ensure_typed(
    settings: Settings,
    source: Contract,
    codes: Codes,
    receipt: Receipt,
    known: Sequence[Receipt],
) -> Receipt:
    """The receipt under today's contract, its rows typed again if the contract has changed.

    `known` are the receipts of the dataset. What this delivery corrects is typed before it.
    """
    earlier = [
        ensure_typed(settings, source, codes, each, known)
        for each in lake.corrected_by(receipt, known)
    ]
    folder = lake.delivery_folder(settings.lake, receipt)
    version = typed_version(source, codes)
    if receipt.contract_hash == version and typed_path(folder, version).is_file():
        return receipt
    typed = [typed_rows(settings, each) for each in earlier]
    with scratch_database(settings) as connection:
        [judged] = judge(connection, source, codes, [(folder, receipt)], typed)
        rejects.write(connection, settings.rejects, folder, source, codes, judged)
    lake.write_receipt(folder, judged)
    return judged


def typed_version(source: Contract, codes: Codes) -> str:
    """Changes when the same text would be typed or judged otherwise."""
    lists = {column.codes: codes.get(column.codes or "") for column in source.columns}
    text = f"{source.hash}{sorted(lists.items(), key=str)}{_reading_code()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _reading_code() -> str:
    """Changes when the modules that type and judge rows change."""
    modules = (headers, cell_forms, row_rules, parsing, identity, sys.modules[__name__])
    return "".join(inspect.getsource(module) for module in modules)


def typed_path(folder: Path, version: str) -> Path:
    return folder / "typed" / f"{version}.parquet"


def judge(
    connection: duckdb.DuckDBPyConnection,
    source: Contract,
    codes: Codes,
    deliveries: Sequence[Placed],
    earlier: Sequence[Path] = (),
) -> list[Receipt]:
    """Type the rows in each folder, and count and note what breaks a rule; the receipts in order.

    The deliveries have the same headers and units, and each a key of its own. `earlier` are the
    typed rows of the deliveries that the only one corrects.
    """
    version = typed_version(source, codes)
    first = deliveries[0][1]
    rows, received = _received(deliveries)
    typing = parsing.Typing(source, codes, first.headers, rows, first.units)
    select = typing.select(received, other_forms(connection, typing))
    targets = [typed_path(folder, version) for folder, _ in deliveries]
    temporaries = [target.with_suffix(".tmp") for target in targets]
    for target in targets:
        target.parent.mkdir(exist_ok=True)
    alone = temporaries[0] if len(deliveries) == 1 else None
    if alone:
        # it may be large: its rows pass through
        connection.execute(f"copy ({select}) to {literal(str(alone))} ({SEALED})")
    else:
        connection.execute(f"create or replace temp table typed_rows as {select}")
    typed = sealed_parquet(alone) if alone else "typed_rows"
    apart = () if alone else ("delivery_id",)
    judged = _without_repeated_keys(connection, typed, source, apart, earlier)
    if alone and judged != typed:
        mended = alone.with_suffix(".mended")
        connection.execute(f"copy (from {judged}) to {literal(str(mended))} ({SEALED})")
        mended.replace(alone)
        judged = typed
    receipts = _counted(connection, judged, source, deliveries)
    findings = _findings(judged, deliveries)
    if not alone and any(map(_has_faults, receipts)):
        connection.execute(f"create or replace temp table finding as {findings}")
        findings = "from finding"
    for (folder, _), receipt, temporary, target in zip(
        deliveries, receipts, temporaries, targets, strict=True
    ):
        own = f"delivery_id = {literal(receipt.delivery_id)}"
        if not alone:
            connection.execute(
                f"copy (from {judged} where {own} order by row_number) "
                f"to {literal(str(temporary))} ({SEALED})"
            )
        own_findings = f"select row_number, rule, severity from ({findings}) where {own}"
        _note_findings(connection, folder, own_findings, _has_faults(receipt))
        # the last step: a cache that is there is never made again, and so is all before it
        temporary.replace(target)
    return [replace(receipt, contract_hash=version, checked_hash="") for receipt in receipts]


def _received(deliveries: Sequence[Placed]) -> tuple[str, dict[str, str]]:
    """The rows of deliveries as a FROM item, and what no cell of them says as SQL over it."""
    paths = [folder / rejects.ROWS_FILE for folder, _ in deliveries]
    told = [
        {
            "delivery_id": literal(receipt.delivery_id),
            "sender": literal(receipt.sender) if receipt.sender else "null::varchar",
            "period": literal(receipt.period),
            "period_month": f"date '{receipt.period_month}'",
            "delivered_on": f"date '{receipt.delivered_on}'",
        }
        for _, receipt in deliveries
    ]
    if len(deliveries) == 1:
        return sealed_parquet(paths), told[0]
    values = ", ".join(
        f"({literal(str(path))}, {', '.join(each.values())})"
        for path, each in zip(paths, told, strict=True)
    )
    added = {name: quoted(f" {name}") for name in told[0]}
    file = quoted(FILE_COLUMN)
    rows = (
        f"{sealed_parquet(paths, file_column=FILE_COLUMN)} "
        f"join (values {values}) as delivery ({file}, {', '.join(added.values())}) using ({file})"
    )
    return rows, added


def _counted(
    connection: duckdb.DuckDBPyConnection,
    judged: str,
    source: Contract,
    deliveries: Sequence[Placed],
) -> list[Receipt]:
    """The receipts with what became of the rows."""
    counted: dict[str, list[Counts]] = {}
    for delivery_id, refused_by, warned_by, converted, count in connection.execute(
        f"select delivery_id, refused_by, warned_by, converted, count(*) from {judged} group by all"
    ).fetchall():
        counted.setdefault(delivery_id, []).append((refused_by, warned_by, converted, count))
    medians = _medians(connection, judged, source)
    return [
        _with_counts(
            replace(receipt, medians=medians.get(receipt.delivery_id, {})),
            counted.get(receipt.delivery_id, ()),
            len(rejects.malformed_rows(connection, folder)),
        )
        for folder, receipt in deliveries
    ]


def _with_counts(receipt: Receipt, counted: Iterable[Counts], malformed: int) -> Receipt:
    """The receipt with the numbers of rows, by rule and by kind of conversion."""
    refusals, warnings, conversions = Counter[str](), Counter[str](), Counter[str]()
    if malformed:
        refusals[rejects.MALFORMED_RULE] = malformed
    accepted = elsewhere = 0
    refused = malformed
    for refused_by, warned_by, converted, count in counted:
        accepted += 0 if refused_by else count
        refused += count if refused_by else 0
        if not refused_by and row_rules.DATED_RULE in (warned_by or "").split(","):
            elsewhere += count
        for tally, names in (
            (refusals, refused_by),
            (warnings, warned_by),
            (conversions, converted),
        ):
            for name in names.split(",") if names else ():
                tally[name] += count
    return replace(
        receipt,
        rows_received=accepted + refused,
        rows_accepted=accepted,
        rows_refused=refused,
        rows_elsewhere=elsewhere,
        refused_by_rule=dict(sorted(refusals.items())),
        warned_by_rule=dict(sorted(warnings.items())),
        conversions=dict(sorted(conversions.items())),
    )


def other_forms(connection: duckdb.DuckDBPyConnection, typing: parsing.Typing) -> list[str]:
    """The columns in which a cell is in another than the plain form."""
    looked = connection.execute(typing.others_select())
    names = [name for name, *_ in looked.description or ()]
    [flags] = looked.fetchall()
    return [name for name, flag in zip(names, flags, strict=True) if flag]


def _medians(
    connection: duckdb.DuckDBPyConnection, judged: str, source: Contract
) -> dict[str, dict[str, float]]:
    """For each delivery the median of each amount that accepted rows state, without the zeros."""
    names = [column.name for column in source.columns if column.type == "yuan"]
    if not names:
        return {}
    medians = ", ".join(f"median({name}) filter ({name} <> 0)::double" for name in names)
    found = connection.execute(
        f"select delivery_id, {medians} from {judged} where refused_by is null group by delivery_id"
    ).fetchall()
    return {
        delivery_id: {n: v for n, v in zip(names, values, strict=True) if v is not None}
        for delivery_id, *values in found
    }


def _has_faults(receipt: Receipt) -> bool:
    return bool(receipt.refused_by_rule or receipt.warned_by_rule)


def _findings(judged: str, deliveries: Sequence[Placed]) -> str:
    """The SELECT of a row for each rule that a row of the deliveries breaks."""
    parts = [
        f"select delivery_id, row_number, unnest(string_split({column}, ',')) as rule, "
        f"'{severity}' as severity from {judged} where {column} is not null"
        for column, severity in (("refused_by", "critical"), ("warned_by", "warning"))
    ]
    for folder, receipt in deliveries:
        malformed = folder / rejects.MALFORMED_FILE
        if malformed.is_file():
            parts.append(
                f"select {literal(receipt.delivery_id)}, row_number, '{rejects.MALFORMED_RULE}', "
                f"'critical' from {sealed_parquet(malformed)}"
            )
    return " union all ".join(parts)


def _note_findings(
    connection: duckdb.DuckDBPyConnection, folder: Path, findings: str, has_faults: bool
) -> None:
    """Write row, rule and severity of every fault beside the rows, if there are any."""
    path = folder / rejects.FINDINGS_FILE
    if not has_faults:
        path.unlink(missing_ok=True)
        return
    temporary = path.with_suffix(".tmp")
    connection.execute(f"copy ({findings} order by all) to {literal(str(temporary))} ({SEALED})")
    temporary.replace(path)


def _without_repeated_keys(
    connection: duckdb.DuckDBPyConnection,
    typed: str,
    source: Contract,
    apart: Sequence[str],
    earlier: Sequence[Path],
) -> str:
    """The typed rows, of accepted ones with the same key all but the first refused.

    `apart` are the columns that tell deliveries apart where there are several. Rows of `earlier`,
    the deliveries that the only one corrects, come before all of its own, but for those in whose
    place its rows stand.
    """
    row = ", ".join((*apart, "row_number"))
    key = ", ".join((*apart, *source.key))
    columns = ", ".join((*apart, "row_number", *source.key))
    accepted = f"select {columns}, true as is_own from {typed} where refused_by is null"
    for each in earlier:
        accepted += (
            f" union all select {columns}, false from {sealed_parquet(each)} "
            f"where refused_by is null and row_number not in (select row_number from {typed})"
        )
    # keys alone are held in memory; the other columns are looked at only if a key repeats
    connection.execute(
        f"""
        create or replace temp table repeated as
        select {row}
        from ({accepted})
        qualify is_own and row_number() over (partition by {key} order by is_own, row_number) > 1
        """
    )
    if not connection.execute("select 1 from repeated limit 1").fetchall():
        return typed
    return f"""(
        select * replace (
            case when ({row}) in (from repeated)
            then '{rejects.REPEATED_KEY_RULE}' else refused_by end as refused_by)
        from {typed}
    )"""


def typed_rows(settings: Settings, receipt: Receipt) -> Path:
    return typed_path(lake.delivery_folder(settings.lake, receipt), receipt.contract_hash)
