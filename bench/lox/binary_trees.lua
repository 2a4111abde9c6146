-- Many small trees that die at once, beside one that lives.
local Tree = {}
Tree.__index = Tree
function Tree.new(left, right) return setmetatable({left = left, right = right}, Tree) end
function Tree:check()
  if self.left == nil then return 1 end
  return self.left:check() + self.right:check() + 1
end
local function build(depth)
  if depth == 0 then return Tree.new(nil, nil) end
  return Tree.new(build(depth - 1), build(depth - 1))
end
local function run(deepest)
  local kept = build(deepest)
  local total = 0
  for depth = 4, deepest, 3 do
    local count = 1
    for d = depth, deepest - 1 do count = count * 2 end
    for i = 1, count do total = total + build(depth):check() end
  end
  return total + kept:check()
end
print(string.format("%g", run(18)))
