// The source of handshake.hsaco, which is kept in binary so that no test needs an assembler:
//   llvm-mc-19 -triple=amdgcn-amd-amdhsa -mcpu=gfx1100 -filetype=obj handshake.s -o handshake.o
//   ld.lld-19 -shared handshake.o -o handshake.hsaco
// handshake: adds 1 to *mine and ends when *other is at least `until`. Two of them with each other's words end only if
// they run at the same time. Arguments: mine (pointer), other (pointer), until (32 bits).

	.amdgcn_target "amdgcn-amd-amdhsa--gfx1100"
	.text
	.globl handshake
	.p2align 8
	.type handshake,@function
handshake:
	s_load_b128 s[4:7], s[0:1], 0x0
	s_load_b32 s8, s[0:1], 0x10
	v_mov_b32_e32 v0, 0
	v_mov_b32_e32 v1, 1
	s_waitcnt lgkmcnt(0)
	global_atomic_add_u32 v0, v1, s[4:5]
.Lagain:
	global_load_b32 v2, v0, s[6:7] glc dlc
	s_waitcnt vmcnt(0)
	v_readfirstlane_b32 s9, v2
	s_sleep 1
	s_cmp_lt_u32 s9, s8
	s_cbranch_scc1 .Lagain
	s_waitcnt_vscnt null, 0x0
	s_endpgm
.Lhandshake_end:
	.size handshake, .Lhandshake_end-handshake

	.rodata
	.p2align 6
	.amdhsa_kernel handshake
		.amdhsa_kernarg_size 24
		.amdhsa_user_sgpr_count 2
		.amdhsa_user_sgpr_kernarg_segment_ptr 1
		.amdhsa_next_free_vgpr 3
		.amdhsa_next_free_sgpr 10
		.amdhsa_wavefront_size32 1
	.end_amdhsa_kernel

	.amdgpu_metadata
---
amdhsa.version: [ 1, 2 ]
amdhsa.target: amdgcn-amd-amdhsa--gfx1100
amdhsa.kernels:
  - .name: handshake
    .symbol: handshake.kd
    .kernarg_segment_size: 24
    .kernarg_segment_align: 8
    .group_segment_fixed_size: 0
    .private_segment_fixed_size: 0
    .wavefront_size: 32
    .sgpr_count: 10
    .vgpr_count: 3
    .max_flat_workgroup_size: 1024
    .args:
      - { .name: mine, .size: 8, .offset: 0, .value_kind: global_buffer, .address_space: global }
      - { .name: other, .size: 8, .offset: 8, .value_kind: global_buffer, .address_space: global }
      - { .name: until, .size: 4, .offset: 16, .value_kind: by_value }
...
	.end_amdgpu_metadata
