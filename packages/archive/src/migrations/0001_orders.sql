-- Every concluded order, for ever: all that a repeat, an inquiry and an event need. Narrow, and not partitioned.
CREATE TABLE orders (
  acquirer_id text COLLATE "C" NOT NULL,
  payment_id text COLLATE "C" NOT NULL,
  payment_request_id text COLLATE "C" NOT NULL,
  terms text NOT NULL,
  outcome text NOT NULL,
  psp_id text NOT NULL,
  client_id text NOT NULL,
  merchant_id text COLLATE "C" NOT NULL,
  claimed_at timestamptz(3) NOT NULL,
  concluded_at timestamptz(3) NOT NULL,
  archived_at timestamptz(3) NOT NULL DEFAULT now(),
  shard integer NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (acquirer_id, payment_id)
);

CREATE INDEX orders_payment_request_id ON orders (payment_request_id);

-- The requests as they came, and what they are searched by. Partitioned by month, so that a month is dropped at once.
CREATE TABLE order_requests (
  acquirer_id text COLLATE "C" NOT NULL,
  payment_id text COLLATE "C" NOT NULL,
  claimed_at timestamptz(3) NOT NULL,
  merchant_id text COLLATE "C" NOT NULL,
  store_id text COLLATE "C",
  amount numeric NOT NULL,
  currency text NOT NULL,
  code_digest text COLLATE "C" NOT NULL,
  customer_digest text COLLATE "C",
  request text NOT NULL,
  PRIMARY KEY (acquirer_id, payment_id, claimed_at)
) PARTITION BY RANGE (claimed_at);

CREATE TABLE order_requests_default PARTITION OF order_requests DEFAULT;

CREATE INDEX order_requests_merchant ON order_requests (merchant_id, claimed_at);
CREATE INDEX order_requests_claimed_at ON order_requests USING brin (claimed_at);

-- How far each shard of each installation is copied. Every batch locks the row of its shard and increments its version.
CREATE TABLE archive_shards (
  archive_id uuid NOT NULL,
  shard integer NOT NULL,
  version bigint NOT NULL DEFAULT 0,
  archived_to text,
  archived_entry text,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (archive_id, shard)
);
