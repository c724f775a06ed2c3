"""What a shell completes. A table of names is imported only when a shell asks for one of them."""

from importlib import import_module

from click.shell_completion import CompletionItem


def names(path):
    """Complete the names in the table at ``path``, such as minibnn.zoo.MODELS."""
    module, _, table = path.rpartition(".")

    def complete(ctx, parameter, incomplete):
        found = (getattr(one, "kind", one) for one in getattr(import_module(module), table))
        return [name for name in found if name.startswith(incomplete)]

    return complete


def files(ctx, parameter, incomplete):
    """Have the shell complete files and folders."""
    return [CompletionItem(incomplete, type="file")]
