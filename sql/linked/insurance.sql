-- One row per person and scheme of basic medical insurance in a year.
select
    record.delivery_id,
    record.row_number,
    identity.person_id,
    cast(year(record.period_month) as integer) as year,
    record.insurance_code,
    record.insured_status_code,
    status.has_attribute as is_insured
from staged.health__insurance_enrolment as record
join bridge.person as identity
    on identity.source = 'health__insurance_enrolment'
    and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
left join reference.code as status
    on status.code_list = 'insured_status' and status.code = record.insured_status_code
