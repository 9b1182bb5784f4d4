-- One row per disability certificate in the register of a year.
select
    record.delivery_id,
    record.row_number,
    identity.person_id,
    cast(year(record.period_month) as integer) as year,
    record.disability_type_code,
    record.disability_grade_code,
    grade.has_attribute as is_severe,
    cast(date_trunc('month', record.issue_date) as date) as issue_month
from staged.disability_federation__disability_certificate as record
join bridge.person as identity
    on identity.source = 'disability_federation__disability_certificate'
    and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
left join reference.code as grade
    on grade.code_list = 'disability_grade' and grade.code = record.disability_grade_code
