"""nginx configs as lint sees them: with their includes, or a snippet of one."""
