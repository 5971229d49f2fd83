-- Orders by the time of their conclusion: their events are sent again by it.
CREATE INDEX orders_concluded_at ON orders (concluded_at);
