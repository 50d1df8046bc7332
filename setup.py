"""Packages and compiled modules; everything else about the distribution is in pyproject.toml."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

PACKAGES = [
    "callsieve",
    "esl_service",
    "kamailio_plugin",
    "loader",
    "lookup_core",
    "screening",
]


def sources(package: str) -> list[Path]:
    """What is compiled: every .pyx, and every .py that has its types in a .pxd beside it."""
    typed = [path.with_suffix(".py") for path in Path(package).glob("*.pxd")]
    return sorted([*Path(package).glob("*.pyx"), *(path for path in typed if path.exists())])


# On x86-64 the compilers' default already includes SSE2.
EXTENSIONS = [
    Extension(
        ".".join(source.with_suffix("").parts),
        [str(source)],
        extra_compile_args=["-O3"],
    )
    for package in PACKAGES
    for source in sources(package)
]

setup(
    packages=PACKAGES,
    package_dir={"": "."},
    package_data={
        package: ["py.typed", "*.pyi", "*.pxd", "*.pyx", "*.h", "*.txt", "sample_store/**"]
        for package in PACKAGES
    },
    ext_modules=cythonize(
        EXTENSIONS,
        language_level=3,
        # A .py module means the same whether it is compiled or not: its annotations are no types.
        compiler_directives={"embedsignature": True, "annotation_typing": False},
    ),
)
