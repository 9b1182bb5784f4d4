"""What the clean demo contradicts follows from its construction; a planted death is found."""

import pytest

from minsheng.contradictions import load_catalogue
from minsheng.demo.economy import DIBAO_STANDARD_YUAN
from minsheng.demo.reference import FIRST_YEAR
from pipelines.refresh import refresh
from tests.pipelines.conftest import Home

pytestmark = pytest.mark.slow

EXPLAINED = {
    # dibao is drawn for a household; no means are tested against the income that is drawn apart
    "income_above_dibao_standard",
    # the ledger's transfers are the benefit and the pension; the care allowance is in none
    "paid_but_no_transfer",
    # the payments are those of monitored families, whereas neighbours hold certificates too
    "severely_disabled_without_care_allowance",
    # some members are not insured in a year, and some of them are of monitored households
    "monitored_but_uninsured",
    # a risk is the cause of poverty that was drawn for the household, whoever has labour
    "risk_of_labour_but_all_have_it",
    # what clears a case is time; the income of its year and labour lost since do not matter
    "cleared_but_below_the_line",
    "cleared_but_nobody_has_labour",
    # one measure in ten waits for months, or never comes
    "monitored_without_measure",
    # the safety net answers a risk, not a benefit
    "safety_net_but_no_benefit",
    # houses decay and posts are held by draws of their own
    "dangerous_house_but_not_monitored",
    "public_post_but_working_away",
}


def test_what_the_clean_demo_contradicts_is_explained(whole: Home) -> None:
    found = {str(name) for (name,) in whole.rows("select contradiction from quality.contradiction")}
    assert found
    assert found <= EXPLAINED


def test_incomes_above_the_standard_are_those_of_the_published_ledger(whole: Home) -> None:
    """Among the eleven counties; the other plans' places have standards and years of their own."""
    standards = ", ".join(
        f"({FIRST_YEAR + place}, {yuan})" for place, yuan in enumerate(DIBAO_STANDARD_YUAN)
    )
    expected = whole.rows(
        f"""
        select distinct income.delivery_id, income.row_number
        from linked.household_year_income as income
        join (values {standards}) as standard (year, yuan) using (year)
        join linked.household_member as member using (household_id, year)
        join linked.assistance as assistance using (person_id)
        where starts_with(income.area_code, '3303')
            and assistance.assistance_code = 'dibao'
            and assistance.month = make_date(income.year, 12, 1)
            and assistance.start_month <= make_date(income.year, 1, 1)
            and wage_yuan + business_yuan + property_yuan > 12 * yuan * member_count
        order by all
        """
    )
    found = whole.rows(
        """
        select left_delivery_id, left_row_number
        from quality.contradiction as found
        join linked.household_year_income as income on income.delivery_id = left_delivery_id
            and income.row_number = left_row_number
        where contradiction = 'income_above_dibao_standard'
            and starts_with(income.area_code, '3303')
        order by all
        """
    )
    assert len(expected) > 10
    assert expected == found


def test_nobody_who_is_called_uninsured_is_insured_in_the_year(whole: Home) -> None:
    assert rows_of(whole, "monitored_but_uninsured")
    insured = whole.rows(
        """
        select found.left_delivery_id, found.left_row_number
        from quality.contradiction as found
        join linked.insurance as insurance on insurance.person_id = found.person_id
            and insurance.year = year(found.period_month) and insurance.is_insured
        where contradiction = 'monitored_but_uninsured'
        """
    )
    assert insured == []


def test_whoever_is_called_without_care_allowance_was_paid_none_in_the_year(whole: Home) -> None:
    assert rows_of(whole, "severely_disabled_without_care_allowance")
    paid = whole.rows(
        """
        select found.left_delivery_id, found.left_row_number
        from quality.contradiction as found
        join linked.relief_payment as payment on payment.person_id = found.person_id
            and year(payment.month) = year(found.period_month)
            and payment.programme_code = 'disability_care'
        where contradiction = 'severely_disabled_without_care_allowance'
        """
    )
    assert paid == []


def test_the_checks_count_what_the_table_lists(whole: Home) -> None:
    counted = dict(
        whole.rows(
            "select check_name, failing_rows from quality.check_result "
            "where table_name = 'quality.contradiction' and check_name in "
            "(select contradiction from reference.contradiction)"
        )
    )
    listed = dict(
        whole.rows("select contradiction, count(*) from quality.contradiction group by all")
    )
    catalogue = load_catalogue(whole.settings)
    assert counted == {each.name: listed.get(each.name, 0) for each in catalogue}


def test_both_rows_are_of_deliveries_of_their_datasets(whole: Home) -> None:
    strangers = whole.rows(
        """
        select found.contradiction
        from quality.contradiction as found
        left join meta.delivery as first on first.delivery_id = left_delivery_id
        left join meta.delivery as second on second.delivery_id = right_delivery_id
        where left_source <> first.department || '__' || first.dataset
            or left_row_number < 2 or right_row_number < 2
            or right_source is distinct from second.department || '__' || second.dataset
            or (pair_count = 0) <> (right_row_number is null)
        """
    )
    assert strangers == []


def test_a_death_that_is_registered_after_payments_contradicts_them(own_whole: Home) -> None:
    [(number, name, person_id)] = own_whole.vault_rows(
        "select id_number, name_key, person_id from identity "
        "join (select source, record_identity, id_number, name_key from record) "
        "using (source, record_identity) where source = 'civil_affairs__relief_payment' "
        "and link_rule_code = 'id_and_name' "
        "order by record_count desc, person_id limit 1"
    )
    waiting = own_whole.settings.inbox / "public_security" / "vital_event" / "2022-09_2.csv"
    waiting.parent.mkdir(parents=True, exist_ok=True)
    waiting.write_text(
        "公民身份号码,姓名,变动类型,发生日期,登记日期\n"
        f"{number},{name},死亡,2022-09-10,2022-09-12\n",
        encoding="utf-8",
    )
    outcome = refresh(own_whole.settings)
    assert outcome.state == "published", outcome.message
    payments = own_whole.rows(
        "select delivery_id, row_number from linked.relief_payment "
        "where person_id = ? and month > date '2022-09-01' "
        "order by month, delivery_id, row_number",
        person_id,
    )
    assert payments
    [found] = own_whole.rows(
        "select person_id, left_source, left_row_number, right_delivery_id, right_row_number, "
        "pair_count from quality.contradiction where contradiction = 'dead_but_paid'"
    )
    assert found == (person_id, "public_security__vital_event", 2, *payments[0], len(payments))
    assert own_whole.rows(
        "select severity, passed, failing_rows from quality.check_result "
        "where check_name = 'dead_but_paid'"
    ) == [("warning", False, 1)]


def rows_of(home: Home, contradiction: str) -> list[tuple[object, ...]]:
    return home.rows(
        "select left_delivery_id, left_row_number from quality.contradiction "
        "where contradiction = ? order by all",
        contradiction,
    )
