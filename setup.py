"""Packages and compiled modules; everything else about the distribution is in pyproject.toml."""

import os
import shutil
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

PACKAGES = [
    "callsieve",
    "esl_service",
    "kamailio_plugin",
    "loader",
    "lookup_core",
    "screening",
]
PROCESSORS = len(os.sched_getaffinity(0))


def sources(package: str) -> list[Path]:
    """What is compiled: every .pyx, and every .py that has its types in a .pxd beside it."""
    typed = [path.with_suffix(".py") for path in Path(package).glob("*.pxd")]
    return sorted([*Path(package).glob("*.pyx"), *(path for path in typed if path.exists())])


# On x86-64 the compilers' default already includes SSE2.
EXTENSIONS = [
    Extension(
        ".".join(source.with_suffix("").parts),
        [str(source)],
        extra_compile_args=["-O3", "-g0"],
    )
    for package in PACKAGES
    for source in sources(package)
]


class CompileOnce(build_ext):
    """Compiles on all processors, and takes what an earlier build left beside the sources.

    Only where modules belong beside their sources: an editable install compiles into a temporary
    folder of its own, and would compile everything again that `build_ext --inplace` has made.
    """

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or PROCESSORS
        self.beside_sources = bool(self.inplace or getattr(self, "editable_mode", False))

    def build_extension(self, ext: Extension) -> None:
        made = Path(self.get_ext_fullpath(ext.name))
        # setuptools has switched `inplace` off by now, and copies from `made` to this place later.
        kept = Path(*ext.name.split(".")).with_name(made.name)
        if self.beside_sources and not newer_group([*ext.sources, *ext.depends], str(kept)):
            made.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(kept, made)
        else:
            super().build_extension(ext)


setup(
    packages=PACKAGES,
    package_dir={"": "."},
    package_data={
        package: ["py.typed", "*.py[ix]", "*.px[di]", "*.h", "*.txt", "*.csv", "sample_store/**"]
        for package in PACKAGES
    },
    ext_modules=cythonize(
        EXTENSIONS,
        language_level=3,
        nthreads=PROCESSORS,
        # A .py module means the same whether it is compiled or not: its annotations are no types.
        compiler_directives={"embedsignature": True, "annotation_typing": False},
    ),
    cmdclass={"build_ext": CompileOnce},
)
