"""Names the platform of wheels that bring the command (packaging/wheel.sh); without it, the package is pure Python."""

import os

from setuptools import Distribution, setup

platform = os.environ.get("SINTER_WHEEL_PLATFORM")
options = {}
if platform:
    from setuptools.command.bdist_wheel import bdist_wheel

    class PlatformWheel(bdist_wheel):
        def get_tag(self):
            return "py3", "none", platform

    class PlatformDistribution(Distribution):
        def has_ext_modules(self):
            return True

    options = {"cmdclass": {"bdist_wheel": PlatformWheel}, "distclass": PlatformDistribution}
setup(**options)
