# SPDX-License-Identifier: Apache-2.0
# Sessions beside libolm and libsignal-protocol-c; left out where these are not installed.
pkg_check_modules(BENCH_PAIR_OLM IMPORTED_TARGET olm)
pkg_check_modules(BENCH_PAIR_SIGNAL IMPORTED_TARGET libsignal-protocol-c)
pkg_check_modules(BENCH_PAIR_CRYPTO IMPORTED_TARGET libcrypto)
if(BENCH_PAIR_OLM_FOUND AND BENCH_PAIR_SIGNAL_FOUND AND BENCH_PAIR_CRYPTO_FOUND)
  add_executable(bench_pair ${CMAKE_CURRENT_LIST_DIR}/bench_pair.c
    ${CMAKE_CURRENT_LIST_DIR}/pair_ours.c ${CMAKE_CURRENT_LIST_DIR}/pair_olm.c
    ${CMAKE_CURRENT_LIST_DIR}/pair_signal.c)
  target_link_libraries(bench_pair PRIVATE petrel_test PkgConfig::BENCH_PAIR_OLM
    PkgConfig::BENCH_PAIR_SIGNAL PkgConfig::BENCH_PAIR_CRYPTO)
  # libsignal has functions of the same names (hkdf_expand): ours must not take their place.
  target_link_options(bench_pair PRIVATE -Wl,--exclude-libs,ALL)
else()
  message(STATUS "bench_pair is left out: it needs libolm-dev, libsignal-protocol-c-dev, libssl-dev")
endif()
