# SPDX-License-Identifier: Apache-2.0
#
# The kill test: short in quick, whole in long. A fixed seed would always draw the same victims.
set(kill_test ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/kill_test.py --bin ${PROJECT_BINARY_DIR})
math(EXPR kill_timeout "240 * ${SLOW_FACTOR}")
math(EXPR kill_timeout_long "1800 * ${SLOW_FACTOR}")

add_test(NAME e2e.kill COMMAND ${kill_test} --messages 80 --kills 4)
set_tests_properties(e2e.kill PROPERTIES LABELS "quick;e2e" TIMEOUT ${kill_timeout})
petrel_names_cases(e2e.kill)
add_test(NAME e2e.kill.long COMMAND ${kill_test} --messages 1000 --kills 20)
set_tests_properties(e2e.kill.long PROPERTIES LABELS long TIMEOUT ${kill_timeout_long}
  RUN_SERIAL TRUE)
