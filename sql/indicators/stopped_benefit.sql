-- One row per watched member and regular benefit that has stopped, with its last payment's row.
-- It has stopped in the months looked back on when, since the last payment, payments for the whole
-- county have been delivered for so many months without one; a payment of nothing is none. Where
-- another member of the household is paid it from then on, it has changed hands and not stopped.
with payment as (
    select
        member.household_id,
        member.person_id,
        payment.programme_code,
        payment.month,
        member.county_code,
        watch.after_month,
        watch.gap_months,
        payment.delivery_id,
        payment.row_number
    from indicators.watched_member as member
    join indicators.watch_window as watch using (county_code)
    join linked.relief_payment as payment
        on payment.person_id = member.person_id
        and payment.month >= cast(watch.watch_from - interval 1 month as date)
        and payment.month < watch.after_month
    where payment.is_regular and payment.amount_yuan > 0
),
first_payment as (
    select household_id, programme_code, person_id, min(month) as first_month
    from payment
    group by household_id, programme_code, person_id
),
newest_payee as (
    select household_id, programme_code, max(first_month) as first_month
    from first_payment
    group by household_id, programme_code
),
last_payment as (
    select payment.*
    from payment
    join newest_payee using (household_id, programme_code)
    qualify row_number() over (
        partition by payment.household_id, payment.person_id, payment.programme_code
        order by payment.month desc, payment.delivery_id, payment.row_number
    ) = 1
    and newest_payee.first_month <= payment.month
),
paid_month as (
    select distinct county_code, period_month as month
    from indicators.complete_roll
    where source = 'civil_affairs__relief_payment'
)
select
    last_payment.household_id,
    last_payment.person_id,
    last_payment.programme_code,
    last_payment.month as last_month,
    last_payment.delivery_id,
    last_payment.row_number
from last_payment
join paid_month
    on paid_month.county_code = last_payment.county_code
    and paid_month.month > last_payment.month
    and paid_month.month < last_payment.after_month
group by
    last_payment.household_id,
    last_payment.person_id,
    last_payment.programme_code,
    last_payment.month,
    last_payment.gap_months,
    last_payment.delivery_id,
    last_payment.row_number
having count(*) >= last_payment.gap_months
