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
join vault.identity as identity
    on identity.source = 'health__insurance_enrolment'
    and identity.record_identity = record.record_identity
left join reference.code as status
    on status.code_list = 'insured_status' and status.code = record.insured_status_code
