-- One row per rule and doubt with the pairs that wait for a decision and what it might move.
select
    link_rule_code,
    doubt_code,
    count(*) as open_pair_count,
    count(case when affects_household then 1 end) as household_pair_count,
    sum(moved_record_count) as moved_record_count,
    sum(moved_yuan) as moved_yuan
from vault.review
group by link_rule_code, doubt_code
