-- One row per household and year with a ledger of its income; an unknown income stays unknown.
-- Where a ledger comes in rounds, the round of the accounting month stands for the year.
-- The total is the sum of the four components, or the declared total where they are not given.
select
    household.household_id,
    cast(year(ledger.period_month) as integer) as year,
    ledger.income_concept,
    ledger.member_count,
    ledger.wage_yuan,
    ledger.business_yuan,
    ledger.property_yuan,
    ledger.transfer_yuan,
    coalesce(
        ledger.wage_yuan + ledger.business_yuan + ledger.property_yuan + ledger.transfer_yuan,
        ledger.total_yuan
    ) as total_yuan,
    ledger.weight,
    ledger.area_code,
    ledger.delivery_id,
    ledger.row_number
from staged.agriculture__household_income as ledger
join vault.household as household using (household_number)
left join reference.income_concept as concept using (income_concept)
where concept.accounting_month is null or concept.accounting_month = month(ledger.period_month)
qualify row_number() over (
    partition by household.household_id, year(ledger.period_month)
    order by ledger.period_month desc, ledger.delivery_id, ledger.row_number
) = 1
