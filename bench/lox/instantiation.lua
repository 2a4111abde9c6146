-- Short-lived objects with constructors, some of which hold others.
local Point = {}
Point.__index = Point
function Point.new(x, y) return setmetatable({x = x, y = y}, Point) end
local Segment = {}
Segment.__index = Segment
function Segment.new(from, to) return setmetatable({from = from, to = to, label = nil}, Segment) end

local function run(n)
  local sum = 0
  for i = 0, n - 1 do
    local segment = Segment.new(Point.new(i, 1), Point.new(2, i))
    sum = sum + segment.from.x - segment.to.y + segment.from.y
  end
  return sum
end
print(string.format("%g", run(2000000)))
