"""The rules for SQL, by name. To add one: a module that satisfies SqlRule, and a row here."""

from __future__ import annotations

from proxyswitch.lint.rules.sql import (
    add_enum_value,
    add_generated_column,
    column_type_change,
    concurrent_index_in_transaction,
    constraint_not_valid,
    drop_column,
    drop_default,
    drop_object,
    drop_table,
    index_not_concurrent,
    lock_timeout,
    not_judged,
    not_null_without_default,
    rename_column,
    rename_table,
    set_not_null,
    table_rebuilt,
    truncate,
    unbounded_write,
    unique_constraint,
    validate_in_transaction,
    volatile_default,
)
from proxyswitch.lint.sql.rule import SqlRule

RULES: dict[str, SqlRule] = {
    "sql/add-enum-value": add_enum_value,
    "sql/add-generated-column": add_generated_column,
    "sql/column-type-change": column_type_change,
    "sql/concurrent-index-in-transaction": concurrent_index_in_transaction,
    "sql/constraint-not-valid": constraint_not_valid,
    "sql/drop-column": drop_column,
    "sql/drop-default": drop_default,
    "sql/drop-object": drop_object,
    "sql/drop-table": drop_table,
    "sql/index-not-concurrent": index_not_concurrent,
    "sql/lock-timeout": lock_timeout,
    "sql/not-judged": not_judged,
    "sql/not-null-without-default": not_null_without_default,
    "sql/rename-column": rename_column,
    "sql/rename-table": rename_table,
    "sql/set-not-null": set_not_null,
    "sql/table-rebuilt": table_rebuilt,
    "sql/truncate": truncate,
    "sql/unbounded-write": unbounded_write,
    "sql/unique-constraint": unique_constraint,
    "sql/validate-in-transaction": validate_in_transaction,
    "sql/volatile-default": volatile_default,
}
