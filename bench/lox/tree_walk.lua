-- One large tree, walked again and again: objects read in an order that is not that of their addresses.
local Node = {}
Node.__index = Node
function Node.new(value) return setmetatable({value = value, left = nil, right = nil}, Node) end
local function add(root, value)
  local node = root
  while true do
    if value < node.value then
      if node.left == nil then node.left = Node.new(value); return end
      node = node.left
    else
      if node.right == nil then node.right = Node.new(value); return end
      node = node.right
    end
  end
end
local function sum(node)
  if node == nil then return 0 end
  return sum(node.left) + node.value + sum(node.right)
end
local function run(count, rounds)
  -- Numbers below 1 in an order that looks random, each another.
  local part = 0.5
  local root = Node.new(part)
  for i = 1, count - 1 do
    part = part + 0.6180339887
    if part >= 1 then part = part - 1 end
    add(root, part)
  end
  local total = 0
  for i = 1, rounds do total = total + sum(root) end
  return total
end
print(string.format("%g", run(60000, 60)))
