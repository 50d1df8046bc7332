from collections.abc import Callable

from typing_extensions import Buffer

def read_keys_anew(keys: Buffer, present_form: Callable[[str], str]) -> int: ...
