"""What the console and the portal share: the shell around a page, forms, templates, files."""
