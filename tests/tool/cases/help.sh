# SPDX-License-Identifier: BSD-3-Clause
# The texts that tell how to use it.
t smmap --help
t smmap help
for command in cat hash find info; do
	t smmap $command --help
done
smmap --version | sed 's/[0-9][0-9.]*$/VERSION/'
smmap cat --version | sed 's/[0-9][0-9.]*$/VERSION/'
