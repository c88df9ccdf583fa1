// y = x * 2 + 1, one element a work-item. s[0:1]: kernel arguments y, x. s2: workgroup id x; 256 work-items a workgroup.
	s_load_b128 s[4:7], s[0:1], null
	v_lshl_or_b32 v0, s2, 8, v0
	v_lshlrev_b32_e32 v0, 2, v0
	s_waitcnt lgkmcnt(0)
	global_load_b32 v1, v0, s[6:7]
	s_waitcnt vmcnt(0)
	v_fma_f32 v1, v1, 2.0, 1.0
	global_store_b32 v0, v1, s[4:5]
	s_nop 0
	s_sendmsg sendmsg(MSG_DEALLOC_VGPRS)
	s_endpgm
