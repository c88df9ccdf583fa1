// c = a * b for f32 matrices of 256 x 256: 64 work-items a workgroup, each with 4 x 4 elements of c; grid 4 x 16.
// Compiled by LLVM 19 (opt -O3, llc -O3 -mcpu=gfx1100) from a loop over k that loads 4 x 4 elements of a and of b.
// s[0:1]: kernel arguments c, a, b. s14, s15: workgroup ids x, y.
	s_load_b128 s[4:7], s[0:1], 0x0
	v_dual_mov_b32 v19, 0 :: v_dual_mov_b32 v2, 0
	v_lshlrev_b32_e32 v1, 6, v0
	s_lshl_b32 s2, s15, 12
	s_load_b64 s[0:1], s[0:1], 0x10
	s_delay_alu instid0(VALU_DEP_2)
	v_mov_b32_e32 v18, v19
	v_lshlrev_b32_e32 v0, 2, v0
	v_and_or_b32 v17, 0xc00, v1, s2
	v_mov_b32_e32 v1, 0
	s_lshl_b32 s2, s14, 6
	v_dual_mov_b32 v3, 0 :: v_dual_mov_b32 v4, 0
	s_delay_alu instid0(VALU_DEP_3)
	v_lshlrev_b64 v[5:6], 2, v[17:18]
	v_and_b32_e32 v0, 60, v0
	v_dual_mov_b32 v8, 0 :: v_dual_mov_b32 v9, 0
	v_dual_mov_b32 v10, 0 :: v_dual_mov_b32 v11, 0
	v_dual_mov_b32 v12, 0 :: v_dual_mov_b32 v13, 0
	s_waitcnt lgkmcnt(0)
	v_add_co_u32 v5, vcc_lo, v5, s6
	v_add_co_ci_u32_e32 v6, vcc_lo, s7, v6, vcc_lo
	v_dual_mov_b32 v14, 0 :: v_dual_mov_b32 v15, 0
	s_delay_alu instid0(VALU_DEP_3) | instskip(NEXT) | instid1(VALU_DEP_3)
	v_add_co_u32 v20, vcc_lo, 0xc00, v5
	v_add_co_ci_u32_e32 v21, vcc_lo, 0, v6, vcc_lo
	v_mov_b32_e32 v5, 0
	v_or_b32_e32 v0, s2, v0
	v_dual_mov_b32 v6, 0 :: v_dual_mov_b32 v7, 0
	v_mov_b32_e32 v16, 0
	s_mov_b32 s2, 0
.LBB0_1:
	s_delay_alu instid0(VALU_DEP_3) | instid1(SALU_CYCLE_1)
	v_dual_mov_b32 v39, v19 :: v_dual_add_nc_u32 v18, s2, v0
	v_mov_b32_e32 v41, v19
	s_clause 0x3
	global_load_b128 v[22:25], v[20:21], off offset:-3072
	global_load_b128 v[26:29], v[20:21], off offset:-2048
	global_load_b128 v[30:33], v[20:21], off offset:-1024
	global_load_b128 v[34:37], v[20:21], off
	v_add_nc_u32_e32 v38, 0x100, v18
	v_lshlrev_b64 v[42:43], 2, v[18:19]
	v_add_nc_u32_e32 v40, 0x200, v18
	s_addk_i32 s2, 0x400
	s_delay_alu instid0(SALU_CYCLE_1) | instskip(SKIP_1) | instid1(VALU_DEP_3)
	s_cmp_lg_u32 s2, 0x10000
	v_lshlrev_b64 v[44:45], 2, v[38:39]
	v_add_co_u32 v38, vcc_lo, s0, v42
	v_add_co_ci_u32_e32 v39, vcc_lo, s1, v43, vcc_lo
	v_lshlrev_b64 v[46:47], 2, v[40:41]
	s_delay_alu instid0(VALU_DEP_4)
	v_add_co_u32 v42, vcc_lo, s0, v44
	global_load_b128 v[38:41], v[38:39], off
	v_add_nc_u32_e32 v18, 0x300, v18
	v_add_co_ci_u32_e32 v43, vcc_lo, s1, v45, vcc_lo
	v_add_co_u32 v46, vcc_lo, s0, v46
	v_add_co_ci_u32_e32 v47, vcc_lo, s1, v47, vcc_lo
	s_waitcnt vmcnt(0)
	v_fmac_f32_e32 v3, v22, v40
	v_lshlrev_b64 v[48:49], 2, v[18:19]
	s_delay_alu instid0(VALU_DEP_1) | instskip(NEXT) | instid1(VALU_DEP_2)
	v_add_co_u32 v50, vcc_lo, s0, v48
	v_add_co_ci_u32_e32 v51, vcc_lo, s1, v49, vcc_lo
	s_clause 0x2
	global_load_b128 v[42:45], v[42:43], off
	global_load_b128 v[46:49], v[46:47], off
	global_load_b128 v[50:53], v[50:51], off
	v_fmac_f32_e32 v16, v34, v41
	v_fmac_f32_e32 v15, v34, v40
	v_add_co_u32 v20, vcc_lo, v20, 16
	v_add_co_ci_u32_e32 v21, vcc_lo, 0, v21, vcc_lo
	s_waitcnt vmcnt(2)
	v_fmac_f32_e32 v16, v35, v45
	v_dual_fmac_f32 v12, v30, v41 :: v_dual_fmac_f32 v15, v35, v44
	v_fmac_f32_e32 v11, v30, v40
	v_fmac_f32_e32 v3, v23, v44
	s_delay_alu instid0(VALU_DEP_3) | instskip(NEXT) | instid1(VALU_DEP_3)
	v_fmac_f32_e32 v12, v31, v45
	v_dual_fmac_f32 v8, v26, v41 :: v_dual_fmac_f32 v11, v31, v44
	v_fmac_f32_e32 v7, v26, v40
	s_waitcnt vmcnt(1)
	s_delay_alu instid0(VALU_DEP_2) | instskip(NEXT) | instid1(VALU_DEP_2)
	v_dual_fmac_f32 v3, v24, v48 :: v_dual_fmac_f32 v8, v27, v45
	v_dual_fmac_f32 v4, v22, v41 :: v_dual_fmac_f32 v7, v27, v44
	v_fmac_f32_e32 v1, v22, v38
	s_waitcnt vmcnt(0)
	s_delay_alu instid0(VALU_DEP_2) | instskip(NEXT) | instid1(VALU_DEP_2)
	v_dual_fmac_f32 v3, v25, v52 :: v_dual_fmac_f32 v4, v23, v45
	v_dual_fmac_f32 v2, v22, v39 :: v_dual_fmac_f32 v1, v23, v42
	s_delay_alu instid0(VALU_DEP_1) | instskip(NEXT) | instid1(VALU_DEP_1)
	v_dual_fmac_f32 v5, v26, v38 :: v_dual_fmac_f32 v2, v23, v43
	v_dual_fmac_f32 v6, v26, v39 :: v_dual_fmac_f32 v5, v27, v42
	v_fmac_f32_e32 v9, v30, v38
	s_delay_alu instid0(VALU_DEP_4) | instskip(NEXT) | instid1(VALU_DEP_4)
	v_fmac_f32_e32 v1, v24, v46
	v_fmac_f32_e32 v2, v24, v47
	s_delay_alu instid0(VALU_DEP_4) | instskip(NEXT) | instid1(VALU_DEP_4)
	v_fmac_f32_e32 v6, v27, v43
	v_dual_fmac_f32 v10, v30, v39 :: v_dual_fmac_f32 v9, v31, v42
	v_dual_fmac_f32 v13, v34, v38 :: v_dual_fmac_f32 v4, v24, v49
	s_delay_alu instid0(VALU_DEP_2) | instskip(NEXT) | instid1(VALU_DEP_2)
	v_dual_fmac_f32 v1, v25, v50 :: v_dual_fmac_f32 v10, v31, v43
	v_dual_fmac_f32 v14, v34, v39 :: v_dual_fmac_f32 v13, v35, v42
	s_delay_alu instid0(VALU_DEP_3) | instskip(SKIP_1) | instid1(VALU_DEP_3)
	v_dual_fmac_f32 v5, v28, v46 :: v_dual_fmac_f32 v4, v25, v53
	v_dual_fmac_f32 v7, v28, v48 :: v_dual_fmac_f32 v2, v25, v51
	v_fmac_f32_e32 v14, v35, v43
	v_fmac_f32_e32 v6, v28, v47
	s_delay_alu instid0(VALU_DEP_4) | instskip(SKIP_2) | instid1(VALU_DEP_4)
	v_dual_fmac_f32 v8, v28, v49 :: v_dual_fmac_f32 v5, v29, v50
	v_fmac_f32_e32 v9, v32, v46
	v_fmac_f32_e32 v7, v29, v52
	v_dual_fmac_f32 v11, v32, v48 :: v_dual_fmac_f32 v6, v29, v51
	v_fmac_f32_e32 v10, v32, v47
	v_fmac_f32_e32 v8, v29, v53
	v_dual_fmac_f32 v12, v32, v49 :: v_dual_fmac_f32 v9, v33, v50
	v_fmac_f32_e32 v13, v36, v46
	v_fmac_f32_e32 v11, v33, v52
	v_dual_fmac_f32 v15, v36, v48 :: v_dual_fmac_f32 v10, v33, v51
	v_fmac_f32_e32 v14, v36, v47
	v_fmac_f32_e32 v12, v33, v53
	v_dual_fmac_f32 v16, v36, v49 :: v_dual_fmac_f32 v13, v37, v50
	s_delay_alu instid0(VALU_DEP_4) | instskip(NEXT) | instid1(VALU_DEP_4)
	v_fmac_f32_e32 v15, v37, v52
	v_fmac_f32_e32 v14, v37, v51
	s_delay_alu instid0(VALU_DEP_3)
	v_fmac_f32_e32 v16, v37, v53
	s_cbranch_scc1 .LBB0_1
	v_dual_mov_b32 v18, 0 :: v_dual_add_nc_u32 v17, v17, v0
	s_delay_alu instid0(VALU_DEP_1) | instskip(SKIP_3) | instid1(VALU_DEP_4)
	v_dual_mov_b32 v20, v18 :: v_dual_add_nc_u32 v19, 0x100, v17
	v_lshlrev_b64 v[23:24], 2, v[17:18]
	v_dual_mov_b32 v22, v18 :: v_dual_add_nc_u32 v21, 0x200, v17
	v_add_nc_u32_e32 v17, 0x300, v17
	v_lshlrev_b64 v[19:20], 2, v[19:20]
	s_delay_alu instid0(VALU_DEP_4) | instskip(NEXT) | instid1(VALU_DEP_4)
	v_add_co_u32 v23, vcc_lo, s4, v23
	v_lshlrev_b64 v[21:22], 2, v[21:22]
	v_add_co_ci_u32_e32 v24, vcc_lo, s5, v24, vcc_lo
	s_delay_alu instid0(VALU_DEP_4) | instskip(SKIP_4) | instid1(VALU_DEP_4)
	v_add_co_u32 v19, vcc_lo, s4, v19
	v_lshlrev_b64 v[17:18], 2, v[17:18]
	v_add_co_ci_u32_e32 v20, vcc_lo, s5, v20, vcc_lo
	v_add_co_u32 v21, vcc_lo, s4, v21
	v_add_co_ci_u32_e32 v22, vcc_lo, s5, v22, vcc_lo
	v_add_co_u32 v17, vcc_lo, s4, v17
	v_add_co_ci_u32_e32 v18, vcc_lo, s5, v18, vcc_lo
	s_clause 0x3
	global_store_b128 v[23:24], v[1:4], off
	global_store_b128 v[19:20], v[5:8], off
	global_store_b128 v[21:22], v[9:12], off
	global_store_b128 v[17:18], v[13:16], off
	s_nop 0
	s_sendmsg sendmsg(MSG_DEALLOC_VGPRS)
	s_endpgm
