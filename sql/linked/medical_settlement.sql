-- One row per settled bill; the month is that of the settlement, not of its delivery.
-- A bill that a later delivery of the same sender repeats counts once, as last delivered.
select
    record.delivery_id,
    record.row_number,
    identity.person_id,
    cast(date_trunc('month', record.settled_date) as date) as month,
    record.visit_code,
    record.total_cost_yuan,
    record.basic_paid_yuan,
    record.serious_illness_paid_yuan,
    record.medical_aid_paid_yuan,
    record.self_paid_yuan
from staged.health__medical_settlement as record
join bridge.person as identity
    on identity.source = 'health__medical_settlement'
    and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
left join meta.delivery as delivery on delivery.delivery_id = record.delivery_id
qualify row_number() over (
    partition by record.sender, record.settlement_number
    order by delivery.delivery_order desc, record.row_number
) = 1
