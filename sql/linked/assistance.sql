-- One row per person and kind of assistance on the roll of a month.
select
    record.delivery_id,
    record.row_number,
    identity.person_id,
    record.period_month as month,
    record.assistance_code,
    record.start_month,
    record.monthly_yuan
from staged.civil_affairs__assistance_roll as record
join bridge.person as identity
    on identity.source = 'civil_affairs__assistance_roll'
    and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
