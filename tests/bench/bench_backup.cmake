# SPDX-License-Identifier: Apache-2.0
if(TARGET petreld AND TARGET petrelctl)
  add_executable(bench_backup ${CMAKE_CURRENT_LIST_DIR}/bench_backup.c
    ${CMAKE_CURRENT_LIST_DIR}/rig.c ${CMAKE_CURRENT_LIST_DIR}/call.c
    ${CMAKE_CURRENT_LIST_DIR}/filled.c)
  target_link_libraries(bench_backup PRIVATE petrel_test)
  add_dependencies(bench_backup petrelctl)
endif()
