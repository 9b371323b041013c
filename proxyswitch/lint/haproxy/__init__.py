"""HAProxy configs as lint sees them: whole, or a part of one."""
