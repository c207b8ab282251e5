"""Where settings come from, for whoever has to mend one: the file, the environment, and what is in neither."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from pydantic import ValidationError
from pydantic_settings import BaseSettings, TomlConfigSettingsSource

PREFIX: Final = "MESHSCOPE_"
_NOT_OURS: Final = ("MESHSCOPE_BENCH_", "MESHSCOPE_TOKEN", "MESHSCOPE_URL")
"""Variables of the measurements and of the commands that ask a server, which are no settings of one."""


class SettingsFileError(Exception):
    """The settings file cannot be used; says which and where in it."""


class SettingsFile(TomlConfigSettingsSource):
    """The TOML file of the settings class. Raises SettingsFileError instead of what the parser raises."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        file = settings_cls.model_config.get("toml_file")
        try:
            super().__init__(settings_cls)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsFileError(f"{file}: {error}") from error  # the error says the line
        except OSError as error:
            raise SettingsFileError(f"{file}: {error.strerror}") from error
        for key in self.toml_data:
            if key not in settings_cls.model_fields:
                raise SettingsFileError(
                    f"{file}: {key} is not a setting{_nearest(key, settings_cls.model_fields)}"
                )


def unknown_variables(settings_cls: type[BaseSettings], environment: Mapping[str, str]) -> Iterator[str]:
    """One line for each variable that looks like a setting and is none."""
    for name in sorted(environment):
        written = name.upper()  # any case is read
        if not written.startswith(PREFIX) or written.startswith(_NOT_OURS):
            continue
        setting = written.removeprefix(PREFIX).lower()
        if setting not in settings_cls.model_fields:
            hint = _nearest(setting, settings_cls.model_fields, lambda found: f"{PREFIX}{found.upper()}")
            yield f"{name} is not a setting and does nothing{hint}"


def explain(error: ValidationError, settings_cls: type[BaseSettings]) -> Iterator[str]:
    """One line for each wrong value, with the name under which it was given."""
    file, in_file = settings_cls.model_config.get("toml_file"), SettingsFile(settings_cls).toml_data
    in_environment = {name.upper() for name in os.environ}
    for problem in error.errors():
        what = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:
            yield what
            continue
        name = str(problem["loc"][0])
        variable = f"{PREFIX}{name.upper()}"
        from_file = name in in_file and variable not in in_environment
        inside = "".join(f"{part}: " for part in problem["loc"][1:])
        yield f"{file}: {name}: {inside}{what}" if from_file else f"{variable}: {inside}{what}"


def _nearest(name: str, known: Iterable[str], spelt: Callable[[str], str] = str) -> str:
    found = get_close_matches(name, list(known), n=1)
    return f"; did you mean {spelt(found[0])}?" if found else ""
