-- One row per payment of relief or an allowance to a person in a month.
select
    record.delivery_id,
    record.row_number,
    identity.person_id,
    record.period_month as month,
    record.programme_code,
    programme.has_attribute as is_regular,
    record.amount_yuan
from staged.civil_affairs__relief_payment as record
join vault.identity as identity
    on identity.source = 'civil_affairs__relief_payment'
    and identity.record_identity = record.record_identity
left join reference.code as programme
    on programme.code_list = 'programme' and programme.code = record.programme_code
