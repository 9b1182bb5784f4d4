-- One row per household and year with a ledger of its income; an unknown income stays unknown.
-- Where a ledger comes in rounds, the round of the accounting month stands for the year.
-- A village that reference.area does not know counts for its town, else for its county.
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
    coalesce(village.area_code, town.area_code, county.area_code, ledger.area_code) as area_code,
    ledger.delivery_id,
    ledger.row_number
from staged.agriculture__household_income as ledger
join bridge.household as household
    on household.source = 'agriculture__household_income' and household.household_notion = 'roll'
    and household.delivery_id = ledger.delivery_id and household.row_number = ledger.row_number
left join reference.income_concept as concept using (income_concept)
left join reference.area as village on village.area_code = ledger.area_code
left join reference.area as town on town.area_code = substr(ledger.area_code, 1, 9) || '000'
left join reference.area as county
    on county.area_code = substr(ledger.area_code, 1, 6) || '000000'
where concept.accounting_month is null or concept.accounting_month = month(ledger.period_month)
qualify row_number() over (
    partition by household.household_id, year(ledger.period_month)
    order by ledger.period_month desc, ledger.delivery_id, ledger.row_number
) = 1
