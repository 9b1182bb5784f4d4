-- One row per payment of a programme to a person in a month; what a second delivery repeats counts
-- once, as last delivered.
select
    record.delivery_id,
    record.row_number,
    identity.person_id,
    record.period_month as month,
    record.programme_code,
    programme.has_attribute as is_regular,
    record.amount_yuan
from staged.civil_affairs__relief_payment as record
join bridge.person as identity
    on identity.source = 'civil_affairs__relief_payment'
    and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
left join reference.code as programme
    on programme.code_list = 'programme' and programme.code = record.programme_code
left join meta.delivery as delivery on delivery.delivery_id = record.delivery_id
qualify row_number() over (
    partition by identity.person_id, record.period_month, record.programme_code
    order by delivery.delivery_order desc, record.row_number
) = 1
