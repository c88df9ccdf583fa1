// c = a * b for 256 x 256 matrices of halves, summed in f32; b is stored by columns. One wave a workgroup, with 32 x 32
// elements of c as 2 x 2 tiles; grid 8 x 8.
// s[0:1]: kernel arguments c, a, b. s2, s3: workgroup ids x, y.
	s_load_b128 s[4:7], s[0:1], null
	s_load_b64 s[8:9], s[0:1], 0x10
	v_and_b32_e32 v1, 15, v0
	v_lshlrev_b32_e32 v2, 9, v1
	s_lshl_b32 s10, s3, 14
	s_lshl_b32 s11, s2, 14
	v_add_nc_u32_e32 v3, s10, v2
	v_add_nc_u32_e32 v4, s11, v2
	v_add_nc_u32_e32 v5, 0x2000, v3
	v_add_nc_u32_e32 v6, 0x2000, v4
	s_mov_b32 s12, 16
	.irp r, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47
	v_mov_b32_e32 v\r, 0
	.endr
	s_waitcnt lgkmcnt(0)
.Lloop:
	global_load_b128 v[64:67], v3, s[6:7]
	global_load_b128 v[68:71], v3, s[6:7] offset:16
	global_load_b128 v[72:75], v5, s[6:7]
	global_load_b128 v[76:79], v5, s[6:7] offset:16
	global_load_b128 v[80:83], v4, s[8:9]
	global_load_b128 v[84:87], v4, s[8:9] offset:16
	global_load_b128 v[88:91], v6, s[8:9]
	global_load_b128 v[92:95], v6, s[8:9] offset:16
	v_add_nc_u32_e32 v3, 32, v3
	v_add_nc_u32_e32 v5, 32, v5
	v_add_nc_u32_e32 v4, 32, v4
	v_add_nc_u32_e32 v6, 32, v6
	s_waitcnt vmcnt(0)
	v_wmma_f32_16x16x16_f16 v[16:23], v[64:71], v[80:87], v[16:23]
	v_wmma_f32_16x16x16_f16 v[24:31], v[64:71], v[88:95], v[24:31]
	v_wmma_f32_16x16x16_f16 v[32:39], v[72:79], v[80:87], v[32:39]
	v_wmma_f32_16x16x16_f16 v[40:47], v[72:79], v[88:95], v[40:47]
	s_sub_u32 s12, s12, 1
	s_cmp_lg_u32 s12, 0
	s_cbranch_scc1 .Lloop
	// Lane l of register r has row 2 r + l / 16, column l % 16.
	v_lshrrev_b32_e32 v7, 4, v0
	v_lshlrev_b32_e32 v7, 10, v7
	v_lshlrev_b32_e32 v8, 2, v1
	s_lshl_b32 s10, s3, 15
	s_lshl_b32 s11, s2, 7
	s_add_u32 s10, s10, s11
	v_add3_u32 v7, v7, v8, s10
	.irp r, 0,1,2,3,4,5,6,7
	v_add_nc_u32_e32 v9, \r * 2048, v7
	v_add_nc_u32_e32 v10, 0x4000 + \r * 2048, v7
	global_store_b32 v9, v[16+\r], s[4:5]
	global_store_b32 v9, v[24+\r], s[4:5] offset:64
	global_store_b32 v10, v[32+\r], s[4:5]
	global_store_b32 v10, v[40+\r], s[4:5] offset:64
	.endr
	s_endpgm
