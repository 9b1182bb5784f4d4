-- One row per student and school year that begins in September of the year.
select
    record.delivery_id,
    record.row_number,
    identity.person_id,
    cast(year(record.period_month) as integer) as year,
    record.education_stage_code,
    record.enrolment_status_code,
    status.has_attribute as is_enrolled
from staged.education__student_enrolment as record
join bridge.person as identity
    on identity.source = 'education__student_enrolment'
    and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
left join reference.code as status
    on status.code_list = 'enrolment_status' and status.code = record.enrolment_status_code
