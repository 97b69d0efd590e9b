# SPDX-License-Identifier: Apache-2.0
if(TARGET petreld)
  add_executable(bench_first ${CMAKE_CURRENT_LIST_DIR}/bench_first.c
    ${CMAKE_CURRENT_LIST_DIR}/rig.c ${CMAKE_CURRENT_LIST_DIR}/call.c
    ${CMAKE_CURRENT_LIST_DIR}/person.c)
  target_link_libraries(bench_first PRIVATE petrel_test)
endif()
