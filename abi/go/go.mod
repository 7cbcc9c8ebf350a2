module weir/abi

go 1.19
