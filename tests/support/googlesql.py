"""Google's own SQL analyser and reference engine, to hold statements to BigQuery's rules.

The PyPI package ``zetasql`` carries both as WebAssembly. This module speaks to it by protocol
messages, so that a statement is neither rewritten nor translated on its way:

- ``analyze`` says which columns a statement yields, or why BigQuery would refuse it;
- ``execute`` runs a query over rows given by the test.

A dotted table is written in one pair of backticks: ``SELECT ... FROM `project.dataset.table` ``.
Its implicit alias is the whole name (BigQuery's is the last part), so give it an alias. Columns
whose name begins with ``_TABLE_`` or ``_PARTITION`` are pseudo columns, outside ``SELECT *``.

Not thread-safe: one engine serves the process.
"""

import ctypes
import fcntl
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from importlib import metadata, resources
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

try:
    import wasmtime
    from zetasql.wasi import get_wasm_path
    from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
    from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
    from zetasql.wasi._pb2.zetasql.public import options_pb2 as language
    from zetasql.wasi._pb2.zetasql.public.type_pb2 import TypeKind
    from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_ast_pb2 as resolved
    from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_node_kind_pb2 as node_kind
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True

CACHE_DIRECTORY = Path(__file__).resolve().parent.parent / ".cache"

# The package's protocol messages carry no types.
Message: TypeAlias = Any

# Released in GoogleSQL and switched on by "maximum features", but not part of BigQuery's SQL.
_NOT_IN_BIGQUERY = (
    "AGGREGATE_FILTERING",
    "ARRAY_AGGREGATION_FUNCTIONS",
    "ARRAY_EQUALITY",
    "ARRAY_FIND_FUNCTIONS",
    "ARRAY_GREATEST_LEAST",
    "ARRAY_ORDERING",
    "ARRAY_ZIP",
    "DML_RETURNING",
    "ENUM_VALUE_DESCRIPTOR_PROTO",
    "FIRST_AND_LAST_N",
    "IMPLICIT_COERCION_STRING_LITERAL_TO_BYTES",
    "INLINE_LAMBDA_ARGUMENT",
    "INSERT_ON_CONFLICT_CLAUSE",
    "LATERAL_JOIN",
    "MULTILEVEL_AGGREGATION",
    "MULTIWAY_UNNEST",
    "SINGLE_TABLE_NAME_ARRAY_PATH",
    "STRUCT_POSITIONAL_ACCESSOR",
    "TIMESTAMP_NANOS",
    "TIMESTAMP_PICOS",
    "UUID_TYPE",
)

_STATEMENT_KINDS = (
    "QUERY",
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "CREATE_TABLE",
    "CREATE_TABLE_AS_SELECT",
    "CREATE_VIEW",
    "DROP",
    "EXPORT_DATA",
    "TRUNCATE",
    "ALTER_TABLE",
)


class AnalysisFailed(Exception):
    """The statement breaks a rule of the language; carries Google's message with its position."""


class ExecutionFailed(Exception):
    """The statement is valid but failed over these rows, as a division by zero does."""


@dataclass(frozen=True)
class Table:
    """Rows for ``execute``: columns as {name: GoogleSQL type}; a column a row lacks is NULL."""

    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, object]] = ()


@dataclass(frozen=True)
class Parameter:
    """A query parameter whose type its value doesn't show: NULL or an empty array."""

    type: str
    value: object


def analyze(
    sql: str,
    tables: Mapping[str, Mapping[str, str]] | None = None,
    parameters: Mapping[str, str] | None = None,
) -> list[tuple[str, str]]:
    """Return the columns a statement yields as (name, GoogleSQL type).

    Tables are {name: {column: type}}, parameters {name: type}. A statement without a result,
    such as MERGE, yields []; a column without a name is called f0_, f1_ ... as BigQuery does.

    Raises AnalysisFailed for anything the language refuses.
    """
    schema = frozenset((name, tuple(columns.items())) for name, columns in (tables or {}).items())
    request = service.AnalyzeRequest(
        sql_statement=sql,
        options=_analyzer_options(parameters or {}),
        registered_catalog_id=_registered_catalog(schema),
    )
    columns = list(_output_columns(_engine().call_raw("Analyze", request)))
    names = _result_names([column.name for column in columns])
    return [
        (name, _type_name(column.column.type)) for name, column in zip(names, columns, strict=True)
    ]


def execute(
    sql: str,
    tables: Mapping[str, Table] | None = None,
    parameters: Mapping[str, object] | None = None,
) -> list[dict[str, object]]:
    """Run a query over the given tables and return its rows, in the order the engine gives them.

    Parameters are Python values, or Parameter where the value doesn't show its type. Results are
    int, float, str, bytes, bool, date, aware UTC datetime, Decimal, list, dict (STRUCT) or None.

    Raises AnalysisFailed where the statement is refused, ExecutionFailed where it runs and fails.
    """
    tables, parameters = tables or {}, parameters or {}
    types = {name: _parameter_type(value) for name, value in parameters.items()}
    request = service.EvaluateQueryRequest(
        sql=sql,
        options=_analyzer_options(types),
        simple_catalog=_catalog([(name, table.columns) for name, table in tables.items()]),
    )
    for name, table in tables.items():
        _fill(request.table_content[_bare(name)].table_data, table)
    for name, value in parameters.items():
        plain = value.value if isinstance(value, Parameter) else value
        encoded = _encode(plain, _type_message(types[name]))
        request.params.add(name=name, value=encoded)
    response = service.EvaluateQueryResponse.FromString(
        _engine().call_raw("EvaluateQuery", request)
    )
    columns = response.prepared.columns
    names = _result_names([column.name for column in columns])
    return [
        {
            name: _decode(cell, column.type)
            for name, column, cell in zip(names, columns, row.cell, strict=True)
        }
        for row in response.content.table_data.row
    ]


def _result_names(given: Sequence[str]) -> list[str]:
    """Name unnamed columns as BigQuery does and refuse names that occur twice, as it does."""
    names: list[str] = []
    unnamed = 0
    for name in given:
        if name and not name.startswith("$"):
            names.append(name)
        else:
            names.append(f"f{unnamed}_")
            unnamed += 1
    lower = [name.lower() for name in names]
    if twice := sorted({name for name in lower if lower.count(name) > 1}):
        raise AnalysisFailed(f"Duplicate column names in the result: {', '.join(twice)}")
    return names


# Catalogs and options


@functools.cache
def _language_options() -> Message:
    options = options_pb2.LanguageOptionsProto.FromString(
        _engine().call_raw(
            "GetLanguageOptions", service.LanguageOptionsRequest(maximum_features=True)
        )
    )
    off = {language.LanguageFeature.Value(f"FEATURE_{name}") for name in _NOT_IN_BIGQUERY}
    features = [feature for feature in options.enabled_language_features if feature not in off]
    kinds = [node_kind.ResolvedNodeKind.Value(f"RESOLVED_{name}_STMT") for name in _STATEMENT_KINDS]
    options.enabled_language_features[:] = features
    options.supported_statement_kinds[:] = kinds
    options.product_mode = language.PRODUCT_EXTERNAL
    return options


def _analyzer_options(parameters: Mapping[str, str]) -> Message:
    options = options_pb2.AnalyzerOptionsProto(
        language_options=_language_options(),
        default_timezone="UTC",
        error_message_mode=language.ERROR_MESSAGE_ONE_LINE,
        # Options of tables and jobs are BigQuery's own, not the language's.
        allowed_hints_and_options={"disallow_unknown_options": False},
    )
    for name, kind in parameters.items():
        options.query_parameters.add(name=name, type=_type_message(kind))
    return options


def _catalog(tables: Sequence[tuple[str, Mapping[str, str]]]) -> Message:
    catalog = simple_catalog_pb2.SimpleCatalogProto(name="catalog")
    catalog.builtin_function_options.language_options.CopyFrom(_language_options())
    for name, columns in tables:
        table = catalog.table.add(name=_bare(name))
        for column, kind in columns.items():
            table.column.add(
                name=column,
                type=_type_message(kind),
                is_pseudo_column=column.upper().startswith(("_TABLE_", "_PARTITION")),
            )
    return catalog


@functools.cache
def _registered_catalog(schema: frozenset[tuple[str, tuple[tuple[str, str], ...]]]) -> int:
    # Building the catalog of functions takes several times as long as analysing a statement.
    tables = [(name, dict(columns)) for name, columns in schema]
    request = service.RegisterCatalogRequest(simple_catalog=_catalog(tables))
    response = service.RegisterResponse.FromString(_engine().call_raw("RegisterCatalog", request))
    return int(response.registered_id)


def _bare(table_name: str) -> str:
    return table_name.replace("`", "")


# Types and values


@functools.cache
def _type_message(name: str) -> Message:
    """Have the analyser itself read a type's name."""
    request = service.AnalyzeRequest(
        sql_statement=f"SELECT CAST(NULL AS {name}) AS value",
        options=_analyzer_options({}),
        registered_catalog_id=_registered_catalog(frozenset()),
    )
    (column,) = _output_columns(_engine().call_raw("Analyze", request))
    return column.column.type


def _type_name(kind: Message) -> str:
    name = str(TypeKind.Name(kind.type_kind)).removeprefix("TYPE_")
    if name == "ARRAY":
        return f"ARRAY<{_type_name(kind.array_type.element_type)}>"
    if name == "STRUCT":
        fields = (
            f"{field.field_name} {_type_name(field.field_type)}".strip()
            for field in kind.struct_type.field
        )
        return f"STRUCT<{', '.join(fields)}>"
    return {"DOUBLE": "FLOAT64"}.get(name, name)


def _parameter_type(value: object) -> str:
    match value:
        case Parameter():
            return value.type
        case bool():
            return "BOOL"
        case int():
            return "INT64"
        case float():
            return "FLOAT64"
        case str():
            return "STRING"
        case bytes():
            return "BYTES"
        case datetime():
            return "TIMESTAMP"
        case date():
            return "DATE"
        case Decimal():
            return "NUMERIC"
        case [first, *_]:
            return f"ARRAY<{_parameter_type(first)}>"
    raise TypeError(f"{value!r} does not show its GoogleSQL type: give Parameter(type, value)")


class _Codec(NamedTuple):
    field: str
    encode: Callable[[Any], object]
    decode: Callable[[Any], object]


_EPOCH = date(1970, 1, 1)
_NUMERIC_SCALE = 9  # digits behind the point
_NUMERIC_CONTEXT = Context(prec=40)


def _encode_timestamp(value: datetime) -> object:
    if value.tzinfo is None:
        raise ValueError(f"a TIMESTAMP needs a time zone: {value!r}")
    seconds, microseconds = divmod(
        (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1), 10**6
    )
    return {"seconds": seconds, "nanos": microseconds * 1000}


def _decode_timestamp(value: Message) -> datetime:
    since = timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
    return datetime(1970, 1, 1, tzinfo=UTC) + since


def _encode_numeric(value: Decimal) -> bytes:
    scaled = int(value.scaleb(_NUMERIC_SCALE, _NUMERIC_CONTEXT))
    return scaled.to_bytes(scaled.bit_length() // 8 + 1, "little", signed=True)


def _decode_numeric(value: bytes) -> Decimal:
    scaled = Decimal(int.from_bytes(value, "little", signed=True))
    return scaled.scaleb(-_NUMERIC_SCALE, _NUMERIC_CONTEXT)


def _as_is(value: Any) -> object:
    return value


_CODECS = {
    "INT64": _Codec("int64_value", _as_is, _as_is),
    "BOOL": _Codec("bool_value", _as_is, _as_is),
    "FLOAT64": _Codec("double_value", _as_is, _as_is),
    "STRING": _Codec("string_value", _as_is, _as_is),
    "BYTES": _Codec("bytes_value", _as_is, _as_is),
    "JSON": _Codec("json_value", _as_is, _as_is),
    "DATE": _Codec(
        "date_value",
        lambda value: (value - _EPOCH).days,
        lambda value: _EPOCH + timedelta(days=value),
    ),
    "TIMESTAMP": _Codec("timestamp_value", _encode_timestamp, _decode_timestamp),
    "NUMERIC": _Codec("numeric_value", _encode_numeric, _decode_numeric),
}


def _codec(kind: Message) -> _Codec:
    name = _type_name(kind)
    if name not in _CODECS:
        raise TypeError(f"values of type {name} are not supported here")
    return _CODECS[name]


def _encode(value: Any, kind: Message) -> dict[str, object]:
    """Return a value as the fields of a ValueProto; none of them is NULL.

    A missing array is an empty one, going in and coming out: BigQuery stores and returns no other.
    """
    if kind.type_kind == TypeKind.TYPE_ARRAY:
        element = kind.array_type.element_type
        return {"array_value": {"element": [_encode(item, element) for item in value or ()]}}
    if value is None:
        return {}
    if kind.type_kind == TypeKind.TYPE_STRUCT:
        fields = kind.struct_type.field
        cells = [_encode(value.get(field.field_name), field.field_type) for field in fields]
        return {"struct_value": {"field": cells}}
    codec = _codec(kind)
    return {codec.field: codec.encode(value)}


def _decode(value: Message, kind: Message) -> object:
    if kind.type_kind == TypeKind.TYPE_ARRAY:
        element = kind.array_type.element_type
        items = [_decode(item, element) for item in value.array_value.element]
        if None in items:
            raise ExecutionFailed("BigQuery returns no array with a NULL element")
        return items
    if value.WhichOneof("value") is None:
        return None
    if kind.type_kind == TypeKind.TYPE_STRUCT:
        pairs = zip(kind.struct_type.field, value.struct_value.field, strict=True)
        return {field.field_name: _decode(cell, field.field_type) for field, cell in pairs}
    codec = _codec(kind)
    return codec.decode(getattr(value, codec.field))


def _fill(data: Message, table: Table) -> None:
    kinds = {name: _type_message(kind) for name, kind in table.columns.items()}
    data.SetInParent()  # a table without rows still has contents
    for row in table.rows:
        if unknown := row.keys() - kinds.keys():
            raise ValueError(f"columns the table does not have: {sorted(unknown)}")
        data.row.add(cell=[_encode(row.get(name), kind) for name, kind in kinds.items()])


# The analyser's answer


def _output_columns(response: bytes) -> Iterator[Message]:
    """Yield the ResolvedOutputColumnProto of an AnalyzeResponse, none for statements but queries.

    The rest of the tree is skipped: a long expression nests deeper than protobuf will parse.
    """
    path = (
        service.AnalyzeResponse.RESOLVED_STATEMENT_FIELD_NUMBER,
        resolved.AnyResolvedStatementProto.RESOLVED_QUERY_STMT_NODE_FIELD_NUMBER,
        resolved.ResolvedQueryStmtProto.OUTPUT_COLUMN_LIST_FIELD_NUMBER,
    )
    messages = [response]
    for number in path:
        messages = [part for message in messages for part in _submessages(message, number)]
    for message in messages:
        yield resolved.ResolvedOutputColumnProto.FromString(message)


def _submessages(message: bytes, wanted: int) -> Iterator[bytes]:
    """Yield the length-delimited fields of this number (protobuf's wire format)."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        match tag & 7:
            case 0:
                _, position = _varint(message, position)
            case 1:
                position += 8
            case 2:
                length, position = _varint(message, position)
                if tag >> 3 == wanted:
                    yield message[position : position + length]
                position += length
            case 5:
                position += 4
            case other:
                raise ValueError(f"wire type {other} in an answer of the analyser")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


# The WebAssembly module


class _Engine:
    """One instance of the module, called with serialised messages."""

    def __init__(self, engine: "wasmtime.Engine", module: "wasmtime.Module") -> None:
        wasi = wasmtime.WasiConfig()
        wasi.inherit_stderr()
        zones = resources.files("tzdata") / "zoneinfo"
        wasi.preopen_dir(str(zones), "/usr/share/zoneinfo")
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(wasi)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        instance = linker.instantiate(self._store, module)
        self._exports: Any = instance.exports(self._store)
        self._memory: Any = self._exports["memory"]
        self._function("_initialize")()

    def call_raw(self, method: str, request: Message) -> bytes:
        """Call a method of the service and return its serialised response."""
        try:
            return self._call(f"ZetaSqlLocalService_{method}", request.SerializeToString())
        except wasmtime.Trap as trap:
            # A trapped instance stays broken: the next call starts another.
            for cached in (_engine, _language_options, _registered_catalog):
                cached.cache_clear()
            reason = str(trap).strip().splitlines()[-1].strip()
            raise ExecutionFailed(f"the engine broke down: {reason}") from trap

    def _call(self, function: str, request: bytes) -> bytes:
        allocate, free = self._function("wasm_malloc"), self._function("wasm_free")
        address, size_address = allocate(len(request) + 1), allocate(4)
        ctypes.memmove(self._base() + address, request, len(request))
        response = self._function(function)(address, len(request), size_address)
        size = int.from_bytes(self._read(size_address, 4), "little")
        free(address)
        free(size_address)
        if not response:
            raise self._last_error()
        answer = self._read(response, size)
        free(response)
        return answer

    def _last_error(self) -> AnalysisFailed | ExecutionFailed:
        size = self._function("wasm_get_last_error_size")()
        text = self._read(self._function("wasm_get_last_error")(), size).decode()
        found = re.fullmatch(r"Code: (\d+), Message: (.*)", text, re.DOTALL)
        code, message = found.groups() if found else ("", text)
        invalid_argument = "3"
        return AnalysisFailed(message) if code == invalid_argument else ExecutionFailed(message)

    def _function(self, name: str) -> Callable[..., Any]:
        return functools.partial(self._exports[name], self._store)

    def _base(self) -> int:
        return ctypes.addressof(self._memory.data_ptr().contents)

    def _read(self, address: int, size: int) -> bytes:
        return ctypes.string_at(self._base() + address, size)


@functools.cache
def _engine() -> _Engine:
    config = wasmtime.Config()
    config.shared_memory = True
    engine = wasmtime.Engine(config)
    return _Engine(engine, _compiled_module(engine))


def _compiled_module(engine: "wasmtime.Engine") -> "wasmtime.Module":
    """Load the compiled module from the cache, or compile it (half a minute, 1 GB) and keep it."""
    CACHE_DIRECTORY.mkdir(parents=True, exist_ok=True)
    versions = "-".join(f"{name}-{metadata.version(name)}" for name in ("zetasql", "wasmtime"))
    path = CACHE_DIRECTORY / f"{versions}.cwasm"
    with (CACHE_DIRECTORY / f"{versions}.lock").open("w") as lock:
        # Of several processes that start at once, one compiles and the others wait for it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            try:
                return wasmtime.Module.deserialize_file(engine, str(path))
            except wasmtime.WasmtimeError:
                path.unlink()  # compiled for another processor
        module = wasmtime.Module.from_file(engine, str(get_wasm_path()))
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(module.serialize())
        unfinished.replace(path)
        return module
