-- One row per watched member and regular benefit that has stopped, with its last payment's row.
-- It has stopped in the months looked back on when, since the last payment, payments for the whole
-- county have been delivered for so many months without one; a payment of nothing is none. Where
-- another member of the household is first paid it within those months, it has changed hands; whom a
-- payment under a mistyped number or name may have reached is not listed.
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
last_payment as (
    select *
    from payment
    qualify row_number() over (
        partition by household_id, person_id, programme_code
        order by month desc, delivery_id, row_number
    ) = 1
),
first_payment as (
    select
        member.household_id,
        member.person_id,
        payment.programme_code,
        min(payment.month) as first_month
    from indicators.watched_member as member
    join linked.relief_payment as payment using (person_id)
    where payment.is_regular and payment.amount_yuan > 0
    group by member.household_id, member.person_id, payment.programme_code
),
changed_hands as (
    select distinct before.household_id, before.person_id, before.programme_code
    from last_payment as before
    join first_payment as after
        on after.household_id = before.household_id
        and after.programme_code = before.programme_code
        and after.person_id <> before.person_id
        and after.first_month >= before.month
        and after.first_month <= cast(before.month + interval 1 month
            * cast(round(before.gap_months) as integer) as date)
),
unconfirmed as (
    select distinct
        last_payment.household_id,
        last_payment.person_id,
        last_payment.programme_code
    from last_payment
    join linked.unconfirmed_record as record
        on record.person_id = last_payment.person_id
        and record.source = 'civil_affairs__relief_payment'
        and record.period_month > last_payment.month
        and record.period_month < last_payment.after_month
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
left join unconfirmed
    on unconfirmed.household_id = last_payment.household_id
    and unconfirmed.person_id = last_payment.person_id
    and unconfirmed.programme_code = last_payment.programme_code
left join changed_hands
    on changed_hands.household_id = last_payment.household_id
    and changed_hands.person_id = last_payment.person_id
    and changed_hands.programme_code = last_payment.programme_code
where changed_hands.household_id is null and unconfirmed.person_id is null
group by
    last_payment.household_id,
    last_payment.person_id,
    last_payment.programme_code,
    last_payment.month,
    last_payment.gap_months,
    last_payment.delivery_id,
    last_payment.row_number
having count(*) >= last_payment.gap_months
