/** A small A/B configuration without a fault, to be spoiled by tests. */
export const soundConfig = `
meta-product = "gateway"
meta-version = "1.0.0"
meta-platform = "board-1"
file-resource boot.img { contents = "boot" assert-size-lte = 256 }
file-resource rootfs.img { contents = "root" assert-size-lte = 1024 }
mbr mbr {
    partition 0 { block-offset = 1024 block-count = 256 type = 0xda boot = true }
    partition 1 { block-offset = 2048 block-count = 1024 type = 0x83 }
    partition 2 { block-offset = 3072 block-count = 1024 type = 0x83 }
    partition 3 { block-offset = 4096 block-count = 512 type = 0x83 }
}
uboot-environment env { block-offset = 256 block-offset-redund = 512 block-count = 16 }
task complete {
    on-init { mbr_write(mbr) uboot_clearenv(env) raw_memset(4096, 256, 0) }
    on-resource boot.img { raw_write(1024) }
    on-resource rootfs.img { raw_write(2048) }
    on-finish { uboot_setenv(env, "slot", "a") }
}
task upgrade.a {
    require-uboot-variable(env, "slot", "b")
    require-partition-offset(1, 2048)
    on-init { info("a") uboot_unsetenv(env, "a.version") }
    on-resource rootfs.img { raw_write(2048) }
    on-finish { uboot_setenv(env, "a.version", "1") uboot_setenv(env, "slot", "a") }
}
task upgrade.b {
    require-uboot-variable(env, "slot", "a")
    require-partition-offset(2, 3072)
    on-init { info("b") uboot_unsetenv(env, "b.version") }
    on-resource rootfs.img { raw_write(3072) }
    on-finish { uboot_setenv(env, "b.version", "1") uboot_setenv(env, "slot", "b") }
}
task upgrade.unexpected { on-init { error("not this board") } }
`;

/** Text for text, each of which must be there: a test that spoils nothing proves nothing. */
export function spoiled(config: string, ...changes: [from: string, to: string][]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`not in the configuration: ${from}`);
    return text.replace(from, () => to);
  }, config);
}
