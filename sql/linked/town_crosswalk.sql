-- One row per town of the list of the statistics or of civil affairs.
-- Codes of the two lists are no help: the same digits are often two towns of a county. A town is matched
-- by its name inside the county, else by the name without its rank (街道, 镇, 乡) where each list has it
-- once in the county; what neither matches stands alone, and nobody guesses.
with statistics as (
    select
        today.county_code,
        area.area_code,
        area.area_name,
        replace(area.area_name, '办事处', '') as name
    from reference.area as area
    join reference.area_today as today using (area_code)
    where area.area_level = 'town' and area.effective_to is null
),
civil_affairs as (
    select
        coalesce(today.county_code, town.county_code) as county_code,
        town.civil_affairs_code as area_code,
        town.civil_affairs_name as area_name,
        replace(town.civil_affairs_name, '办事处', '') as name
    from reference.civil_affairs_town as town
    left join reference.area_today as today on today.area_code = town.county_code
),
by_name as (
    select
        statistics.area_code as statistics_code,
        civil_affairs.area_code as civil_affairs_code
    from statistics
    join civil_affairs
        on civil_affairs.county_code = statistics.county_code
        and civil_affairs.name = statistics.name
    qualify count(*) over (partition by statistics.area_code) = 1
        and count(*) over (partition by civil_affairs.area_code) = 1
),
left_of_statistics as (
    select
        statistics.county_code,
        statistics.area_code,
        regexp_replace(statistics.name, '(街道|民族乡|镇|乡)$', '', 'g') as stem
    from statistics
    left join by_name on by_name.statistics_code = statistics.area_code
    where by_name.statistics_code is null
),
left_of_civil_affairs as (
    select
        civil_affairs.county_code,
        civil_affairs.area_code,
        regexp_replace(civil_affairs.name, '(街道|民族乡|镇|乡)$', '', 'g') as stem
    from civil_affairs
    left join by_name on by_name.civil_affairs_code = civil_affairs.area_code
    where by_name.civil_affairs_code is null
),
by_stem as (
    select
        left_of_statistics.area_code as statistics_code,
        left_of_civil_affairs.area_code as civil_affairs_code
    from left_of_statistics
    join left_of_civil_affairs
        on left_of_civil_affairs.county_code = left_of_statistics.county_code
        and left_of_civil_affairs.stem = left_of_statistics.stem
    qualify count(*) over (partition by left_of_statistics.area_code) = 1
        and count(*) over (partition by left_of_civil_affairs.area_code) = 1
),
matched as (
    select statistics_code, civil_affairs_code, true as is_same_name
    from by_name
    union all
    select statistics_code, civil_affairs_code, false as is_same_name
    from by_stem
)
select
    coalesce(statistics.county_code, civil_affairs.county_code) as county_code,
    statistics.area_code as statistics_code,
    statistics.area_name as statistics_name,
    civil_affairs.area_code as civil_affairs_code,
    civil_affairs.area_name as civil_affairs_name,
    case
        when civil_affairs.area_code is null then 'statistics_only'
        when statistics.area_code is null then 'civil_affairs_only'
        when not matched.is_same_name then 'name_without_rank'
        when statistics.area_code = civil_affairs.area_code then 'same_code'
        else 'name'
    end as town_match_code
from statistics
left join matched on matched.statistics_code = statistics.area_code
full join civil_affairs on civil_affairs.area_code = matched.civil_affairs_code
