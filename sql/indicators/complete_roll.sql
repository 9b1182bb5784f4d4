-- One row per source, county, period and delivery whose deliveries together cover the county.
-- Who is not found there is absent; where a part is still to come nobody is.
select source, county_code, period_month, delivery_id
from linked.expected_delivery
where is_complete
