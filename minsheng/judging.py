"""Judging: the rows of a delivery typed, with what each is refused or doubted for.

`typed/<version>.parquet` is a cache; `findings.parquet` has the faults, one row each.
"""

import hashlib
import inspect
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import duckdb

from minsheng import cell_forms, headers, identity, lake, parsing, rejects, row_rules
from minsheng.cell_forms import Codes
from minsheng.contracts import Contract
from minsheng.encryption import SEALED, scratch_database, sealed_parquet
from minsheng.lake import Receipt
from minsheng.quoting import literal
from minsheng.settings import Settings


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
        judged = judge(connection, folder, source, codes, receipt, typed)
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
    folder: Path,
    source: Contract,
    codes: Codes,
    receipt: Receipt,
    earlier: Sequence[Path] = (),
) -> Receipt:
    """Type the rows in `folder`, and count and note what breaks a rule.

    `earlier` are the typed rows of the deliveries that this one corrects.
    """
    version = typed_version(source, codes)
    target = typed_path(folder, version)
    target.parent.mkdir(exist_ok=True)
    constants = {
        "delivery_id": literal(receipt.delivery_id),
        "sender": literal(receipt.sender) if receipt.sender else "null::varchar",
        "period": literal(receipt.period),
        "period_month": f"date '{receipt.period_month}'",
        "delivered_on": f"date '{receipt.delivered_on}'",
    }
    rows = sealed_parquet(folder / rejects.ROWS_FILE)
    typing = parsing.Typing(source, codes, receipt.headers, rows, receipt.units)
    select = typing.select(constants, other_forms(connection, typing))
    temporary = target.with_suffix(".tmp")
    connection.execute(f"copy ({select}) to {literal(str(temporary))} ({SEALED})")
    _refuse_repeated_keys(connection, temporary, source, earlier)
    counted = connection.execute(
        "select refused_by, warned_by, converted, count(*) "
        f"from {sealed_parquet(temporary)} group by all"
    ).fetchall()
    malformed = len(rejects.malformed_rows(connection, folder))
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
    _note_findings(connection, folder, temporary, bool(refusals or warnings))
    # the last step: a cache that is there is never made again, and so is all that came before it
    temporary.replace(target)
    return replace(
        receipt,
        contract_hash=version,
        checked_hash="",
        rows_received=accepted + refused,
        rows_accepted=accepted,
        rows_refused=refused,
        rows_elsewhere=elsewhere,
        medians=_medians(connection, target, source),
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
    connection: duckdb.DuckDBPyConnection, typed: Path, source: Contract
) -> dict[str, float]:
    """The median of each amount that accepted rows state, without the zeros."""
    names = [column.name for column in source.columns if column.type == "yuan"]
    if not names:
        return {}
    medians = ", ".join(f"median({name}) filter ({name} <> 0)::double" for name in names)
    [values] = connection.execute(
        f"select {medians} from {sealed_parquet(typed)} where refused_by is null"
    ).fetchall()
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _note_findings(
    connection: duckdb.DuckDBPyConnection, folder: Path, typed: Path, has_faults: bool
) -> None:
    """Write row, rule and severity of every fault beside the rows, if there are any."""
    path = folder / rejects.FINDINGS_FILE
    if not has_faults:
        path.unlink(missing_ok=True)
        return
    rows = sealed_parquet(typed)
    parts = [
        f"select row_number, unnest(string_split({column}, ',')) as rule, '{severity}' as severity "
        f"from {rows} where {column} is not null"
        for column, severity in (("refused_by", "critical"), ("warned_by", "warning"))
    ]
    malformed = folder / rejects.MALFORMED_FILE
    if malformed.is_file():
        parts.append(
            f"select row_number, '{rejects.MALFORMED_RULE}', 'critical' "
            f"from {sealed_parquet(malformed)}"
        )
    temporary = path.with_suffix(".tmp")
    connection.execute(
        f"copy ({' union all '.join(parts)} order by all) to {literal(str(temporary))} ({SEALED})"
    )
    temporary.replace(path)


def _refuse_repeated_keys(
    connection: duckdb.DuckDBPyConnection, path: Path, source: Contract, earlier: Sequence[Path]
) -> None:
    """Of accepted rows with the same key the first stays, the later ones are refused.

    Rows of `earlier`, the deliveries that this one corrects, come before all of its own, but for
    those in whose place its rows stand.
    """
    key = ", ".join(source.key)
    rows = sealed_parquet(path)
    own = f"(select row_number from {rows})"
    accepted = f"select {key} from {rows} where refused_by is null"
    for each in earlier:
        before = sealed_parquet(each)
        accepted += (
            f" union all select {key} from {before} "
            f"where refused_by is null and row_number not in {own}"
        )
    repeated = connection.execute(
        f"select 1 from ({accepted}) group by {key} having count(*) > 1 limit 1"
    ).fetchall()
    if not repeated:
        return
    taken = " or ".join(
        f"exists (select 1 from {sealed_parquet(each)} as before "
        f"where before.refused_by is null and before.row_number not in {own} and "
        + " and ".join(f"before.{name} is not distinct from rows.{name}" for name in source.key)
        + ")"
        for each in earlier
    )
    mended = path.with_suffix(".mended")
    connection.execute(
        f"""
        copy (
            select * replace (
                case when refused_by is null and ({taken or "false"} or row_number > min(row_number)
                    filter (where refused_by is null) over (partition by {key}))
                then '{rejects.REPEATED_KEY_RULE}' else refused_by end as refused_by)
            from {rows} as rows
        ) to {literal(str(mended))} ({SEALED})
        """
    )
    mended.replace(path)


def typed_rows(settings: Settings, receipt: Receipt) -> Path:
    return typed_path(lake.delivery_folder(settings.lake, receipt), receipt.contract_hash)
