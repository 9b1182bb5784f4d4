-- One row per certificate of a watched member who became severely disabled in the months looked back
-- on: severe, issued in them, and known as severe to no register or certificate from before them.
with severe as (
    select
        member.household_id,
        member.person_id,
        disability.issue_month,
        watch.watch_from,
        watch.after_month,
        disability.year,
        disability.delivery_id,
        disability.row_number
    from indicators.watched_member as member
    join indicators.watch_window as watch using (county_code)
    join linked.disability as disability using (person_id)
    where disability.is_severe
),
known_before as (
    select distinct household_id, person_id
    from severe
    where issue_month < watch_from or make_date(year, 12, 1) < watch_from
)
select
    severe.household_id,
    severe.person_id,
    severe.issue_month,
    severe.delivery_id,
    severe.row_number
from severe
left join known_before
    on known_before.household_id = severe.household_id
    and known_before.person_id = severe.person_id
where known_before.person_id is null
    and severe.issue_month >= severe.watch_from
    and severe.issue_month < severe.after_month
