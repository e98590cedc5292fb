"""Parts of a page that a reader plays with; they need what the extra ``interactive`` installs."""
