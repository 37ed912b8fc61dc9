# SPDX-License-Identifier: GPL-2.0-only
# The simulator is linked with the model of POSIX; a failure names the commit.
$(B)/sim: $(call obj,$(wildcard tests/model/*.c))

sim_commit := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
sim_commit_file := $(B)/.sim-commit
ifneq ($(file <$(sim_commit_file)),$(sim_commit))
.PHONY: $(sim_commit_file)
endif
$(sim_commit_file):
	$(shell mkdir -p $(@D))$(file >$@,$(sim_commit))@:
$(B)/simobj/main.o: $(sim_commit_file)
$(B)/simobj/main.o: WORLD += -DSIM_COMMIT='"$(sim_commit)"'
