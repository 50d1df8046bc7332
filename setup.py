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

# One extension module for each .pyx; on x86-64 the compilers' default already includes SSE2.
EXTENSIONS = [
    Extension(
        ".".join(source.with_suffix("").parts),
        [str(source)],
        extra_compile_args=["-O3"],
    )
    for package in PACKAGES
    for source in sorted(Path(package).glob("*.pyx"))
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
        compiler_directives={"embedsignature": True},
    ),
)
