"""The searches of an index in Postgres: each is one statement, and what the scope does not admit is left out inside."""

from psycopg import sql
from psycopg.types.json import Jsonb

from retrieval.index.postgres_filling import escaped, plain
from retrieval.index.postgres_tables import Tables
from retrieval.types import SHARED, Attribute, Scope

_ADMITTED = sql.SQL("""
    tenant = ANY(%(tenants)s) AND (groups = '{}' OR groups && %(groups)s::text[]) AND NOT EXISTS (
        SELECT FROM unnest(%(names)s::text[], %(values)s::jsonb[]) AS asked(name, among)
        WHERE (among @> (attributes -> name)) IS NOT TRUE
    )""")
_EXACT = sql.SQL("""
    WITH allowed AS MATERIALIZED (SELECT kind FROM {labels} WHERE {admitted})
    SELECT row, (-(vector <#> %(query)s))::float4 AS score FROM {vectors}
    WHERE kind = ANY(ARRAY(SELECT kind FROM allowed)) ORDER BY score DESC, row LIMIT %(k)s""")
_BY_GRAPH = sql.SQL("""
    WITH allowed AS MATERIALIZED (SELECT kind, rows FROM {labels} WHERE {admitted}), near AS (
        SELECT row, (-(vector <#> %(query)s))::float4 AS score FROM {vectors}
        WHERE (SELECT sum(rows) FROM allowed) > %(exact)s AND kind = ANY(ARRAY(SELECT kind FROM allowed))
        ORDER BY vector <#> %(query)s LIMIT %(k)s
    ), few AS (
        SELECT row, (-(vector <#> %(query)s))::float4 AS score FROM {vectors}
        WHERE (SELECT sum(rows) FROM allowed) <= %(exact)s AND kind = ANY(ARRAY(SELECT kind FROM allowed))
        ORDER BY score DESC, row LIMIT %(k)s
    )
    SELECT row, score FROM (SELECT * FROM near UNION ALL SELECT * FROM few) found ORDER BY score DESC, row""")
# Materialized: a word's weight is computed once, not for each row that holds it; and so is who may see which labels.
_WORDS = sql.SQL("""
    WITH seen AS MATERIALIZED (SELECT ARRAY(SELECT {admitted} FROM {labels} ORDER BY kind) AS kinds),
    held AS MATERIALIZED (
        SELECT asked.weight * ln((1 + (t.rows - df + 0.5) / (df + 0.5))::float8) AS idf,
            %(k1)s::float8 * (1 - %(b)s::float8) AS base, %(k1)s::float8 * %(b)s::float8 / t.mean_words AS by_length,
            w.rows, w.counts, w.lengths, w.kinds
        FROM unnest(%(words)s::bytea[], %(weights)s::float8[]) AS asked(word, weight)
        JOIN {words} w ON w.word = asked.word
        JOIN {tenants} t ON t.number = w.tenant AND t.tenant = ANY(%(tenants)s)
        CROSS JOIN LATERAL cardinality(w.rows) AS df
    )
    SELECT p.row, sum(idf * p.count / (base + by_length * p.length + p.count))::float4 AS score
    FROM held CROSS JOIN LATERAL unnest(rows, counts, lengths, kinds) AS p(row, count, length, kind)
    WHERE (SELECT seen.kinds FROM seen)[p.kind + 1]
    GROUP BY p.row ORDER BY score DESC, p.row LIMIT %(k)s""")
_PLACES = sql.SQL("""
    SELECT doc_id, version, start, "end" FROM unnest(%(rows)s::int[]) WITH ORDINALITY AS asked(row, at)
    JOIN {chunks} USING (row) ORDER BY at""")

_VECTORS = sql.SQL("""
    SELECT vector FROM unnest(%(rows)s::int[]) WITH ORDINALITY AS asked(row, at)
    JOIN {vectors} USING (row) ORDER BY at""")


def nearest(tables: Tables, embedder: int, *, graph: bool) -> sql.Composed:
    """Asks for `query`, `k`, what `admits` gives, and with `graph`: up to `exact` admitted rows each is compared."""
    query = _BY_GRAPH if graph else _EXACT
    return query.format(admitted=_ADMITTED, labels=tables["labels"], vectors=tables.vectors(embedder))


def matching(tables: Tables) -> sql.Composed:
    """Asks for `words` as keys, `weights`, `k`, `k1`, `b` and what `admits` gives."""
    named = {name: tables[name] for name in ("labels", "words", "tenants")}
    return _WORDS.format(admitted=_ADMITTED, **named)


def vectors(tables: Tables, embedder: int) -> sql.Composed:
    """Asks for `rows`."""
    return _VECTORS.format(vectors=tables.vectors(embedder))


def places(tables: Tables) -> sql.Composed:
    """Asks for `rows`."""
    return _PLACES.format(chunks=tables["chunks"])


def admits(scope: Scope) -> dict[str, object]:
    """A scope as parameters."""
    where = plain(scope.where)
    return {
        "tenants": [escaped(tenant) for tenant in dict.fromkeys((scope.access.tenant, SHARED))],
        "groups": sorted(escaped(group) for group in scope.access.groups),
        "names": list(where),
        "values": [Jsonb(_equal(value)) for value in where.values()],
    }


def _equal(value: Attribute) -> list[Attribute]:
    """What Python takes for equal where JSON has two words for it: true is 1, false is 0."""
    return [bool(value), int(value)] if not isinstance(value, str) and value in (0, 1) else [value]
