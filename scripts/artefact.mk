# Shared by the makefiles of all artefacts. `sam build` runs them with ARTIFACTS_DIR set, in the folder of the chosen
# architecture (layers/targets/…): the template's parameter Architecture decides, and its file `platforms` lists the wheel
# tags that fit. So one parameter rules both what is built and what is deployed.
here := $(dir $(abspath $(firstword $(MAKEFILE_LIST))))
root := $(abspath $(here)../..)
BUILD_PYTHON ?= python3
build_artefact = @$(BUILD_PYTHON) $(root)/scripts/build_artefact.py --platforms platforms
